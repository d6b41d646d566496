/** Rows as CSV: RFC 4180, UTF-8 without a mark, a header, CRLF. A text that is empty is "", and no value is nothing. */
import { stringify } from "csv-stringify/sync";
import type { FileRows } from "./rows.ts";

/** What a spreadsheet takes for the beginning of a formula, in either width. */
const formula = /^[=+\-@\t\r\n＝＋－＠]/;

export function toCsv({ columns, rows }: FileRows, guardFormulas: boolean): Uint8Array {
  const guarded = (text: string): string => (guardFormulas && formula.test(text) ? `'${text}` : text);
  const header = columns.map(({ name }) => guarded(name));
  // Numbers and dates are what they are: only texts are written by people.
  const body = rows.map((cells) =>
    cells.map((cell, at) => (cell !== null && columns[at]?.type === "text" ? guarded(cell) : cell)),
  );
  // The writer would leave a line break that is not its own without quotes.
  const text = stringify([header, ...body], { record_delimiter: "\r\n", quoted_match: /^$|[\r\n]|^\s|\s$/ });
  return Buffer.from(text);
}
