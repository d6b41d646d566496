/** Keeps the values of rows out of what a warehouse says: errors are logged, kept and shown to whoever sees a run. */

/** In every language that a server may speak: its own words have no other quotation marks. */
const marks = `"'«»‹›„“”‚‘’「」『』`;
const quotedPart = new RegExp(`[${marks}](?:[^]*[${marks}]|[^]*$)`);

/** A value may have quotation marks in it, so all from the first to the last one goes. */
export function withholdQuoted(words: string): string {
  return words.replace(quotedPart, '"…"');
}

/** From the first quotation mark on, where the last one is lost. */
export function withholdFromQuote(words: string): string {
  return words.replace(new RegExp(`[${marks}][^]*$`), '"…"');
}

/** Numbers, dates and bytes that stand alone; those of a type, as in DECIMAL(10,2), say what it is. */
export function withholdNumbers(words: string): string {
  return words.replaceAll(/(\w\(\d+(?:,\d+)?\))|(?<!\w)[-+]?\d[\w.:+-]*/g, (_, type?: string) => type ?? "…");
}
