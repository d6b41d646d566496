/** SOQL that looks for values, in queries short enough for an address. */
import type { SObjectField } from "./fields.ts";

/** Salesforce takes 16,384 bytes of address and headers together. */
const mostBytes = 12_000;

/** The queries, each `head (value, value…)`, that together ask for all values. */
export function queriesFor(
  head: string,
  values: readonly unknown[],
  field: SObjectField | undefined,
): readonly string[] {
  const queries: string[] = [];
  let part: string[] = [];
  let bytes = 0;
  for (const literal of new Set(values.map((value) => toLiteral(value, field)))) {
    const size = encodeURIComponent(literal).length + 3;
    if (part.length > 0 && bytes + size > mostBytes) {
      queries.push(`${head} (${part.join(",")})`);
      part = [];
      bytes = 0;
    }
    part.push(literal);
    bytes += size;
  }
  return part.length === 0 ? queries : [...queries, `${head} (${part.join(",")})`];
}

function toLiteral(value: unknown, field: SObjectField | undefined): string {
  const numeric = field && ["double", "int", "long"].includes(field.type) && Number.isFinite(Number(value));
  if (numeric) return String(Number(value));
  const escaped = String(value)
    .replaceAll(/['\\]/g, (character) => `\\${character}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r");
  return `'${escaped}'`;
}
