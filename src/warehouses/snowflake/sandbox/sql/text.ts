/** A statement's text before it is parsed: how many statements it is, and where it names files on a stage. */
import { SnowflakeFailure, unknownToSandbox } from "../failure.ts";

/** Texts, names in quotes and comments hide what stands in them. What follows a stage in brackets belongs to it. */
const token = new RegExp(
  [
    String.raw`'(?:[^'\\]|''|\\[^])*'`,
    String.raw`\$\$[^]*?\$\$`,
    String.raw`"(?:[^"]|"")*"`,
    // Not the two of an address such as file://.
    String.raw`(?:--|(?<![:/])//)[^\n]*`,
    String.raw`/\*[^]*?\*/`,
    String.raw`(?<mark>[;()])`,
    String.raw`(?<stage>@(?:"(?:[^"]|"")*"|[\w~%$./=-])+)(?:\s*\((?<options>\s*(?:file_format|pattern)\s*=>[^)]*)\))?`,
  ].join("|"),
  "gi",
);

/** Exactly one statement, without its closing semicolon. */
export function singleStatement(sql: string): string {
  const ends = [...sql.matchAll(token)].filter(({ groups }) => groups?.["mark"] === ";").map(({ index }) => index);
  const bounds = [-1, ...ends, sql.length];
  const parts = bounds.slice(1).map((end, index) => sql.slice((bounds[index] ?? 0) + 1, end).trim());
  const statements = parts.filter((part) => withoutComments(part) !== "");
  const [only] = statements;
  if (only === undefined) throw new SnowflakeFailure("000900", "42601", "SQL compilation error:\nEmpty SQL statement.");
  if (statements.length > 1) {
    const words = `Actual statement count ${statements.length} did not match the desired statement count 1.`;
    throw new SnowflakeFailure("000008", "0A000", words);
  }
  return only;
}

/** The statement without comments, to see what kind it is. */
export function withoutComments(sql: string): string {
  return sql.replaceAll(token, (found) => (/^(--|\/\/|\/\*)/.test(found) ? " " : found)).trim();
}

/** Stands for a quotation mark within a name: the parser takes three of them for the beginning of a text. */
export const quoteInName = "\u{E000}";

/**
 * The statement as the parser reads it: stages are names in quotes, which it takes for tables, and names have no
 * quotation marks in them. What is said of the format of files is left out.
 */
export function readable(sql: string): string {
  return sql.replaceAll(token, (found, ...rest: readonly unknown[]) => {
    const { stage, options = "" } = rest.at(-1) as { readonly stage?: string; readonly options?: string };
    if (/pattern\s*=>/i.test(options)) throw unknownToSandbox("PATTERN");
    if (found.startsWith('"')) return `"${found.slice(1, -1).replaceAll('""', quoteInName)}"`;
    return stage === undefined ? found : `"${stage.replaceAll('"', quoteInName)}"`;
  });
}

/** `NAME = value` settings, as `FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE`, by their names in upper case. */
export function settings(text: string): ReadonlyMap<string, string> {
  const setting = /(\w+)\s*=>?\s*(\((?:[^()]|\([^()]*\))*\)|'(?:[^'\\]|''|\\.)*'|[^\s,]+)/g;
  return new Map([...text.matchAll(setting)].map(([, name = "", value = ""]) => [name.toUpperCase(), unquote(value)]));
}

function unquote(value: string): string {
  return value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value;
}

/** Where the bracket that opens at `start` closes. */
export function closingBracket(sql: string, start: number): number {
  let depth = 0;
  for (const { index, groups } of sql.slice(start).matchAll(token)) {
    if (groups?.["mark"] === "(") depth += 1;
    if (groups?.["mark"] === ")") depth -= 1;
    if (groups?.["mark"] === ")" && depth === 0) return start + index;
  }
  return sql.length;
}
