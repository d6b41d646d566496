/** JSON bodies that parse and still say nothing certain: a name that stands twice, or nesting beyond all use. */

/** Deeper than any document; what is checked recursively must not run out of stack. */
const mostLevels = 100;

/** Why JSON is refused before it is parsed, or null. What is no JSON at all, the parser tells. */
export function jsonFault(text: string): string | null {
  // For each level the names so far; null for a list.
  const levels: (Set<string> | null)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at += 1) {
    const mark = text[at];
    if (mark === '"') {
      const end = endOfText(text, at);
      const names = levels.at(-1);
      if (isName && names) {
        const name = nameOf(text.slice(at, end + 1));
        if (names.has(name)) return `The name ${JSON.stringify(name.slice(0, 100))} stands twice in one object.`;
        names.add(name);
      }
      at = end;
    } else if (mark === "{" || mark === "[") {
      levels.push(mark === "{" ? new Set() : null);
      if (levels.length > mostLevels) return `The body has more than ${mostLevels} levels.`;
    } else if (mark === "}" || mark === "]") levels.pop();
    if (mark === "{" || mark === ",") isName = true;
    else if (mark === '"' || mark === ":" || mark === "[") isName = false;
  }
  return null;
}

/** Where the text ends that begins at a quotation mark; the end of everything if it does not. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** `"a"` and `"\u0061"` are one name. */
function nameOf(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
