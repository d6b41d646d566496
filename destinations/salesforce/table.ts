/** Records as the CSV that Bulk API 2.0 takes, and its results. Pure. */
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import type { Value } from "../../src/destination.ts";
import { ofError } from "./answers.ts";
import type { Outcome } from "../../src/destination.ts";

/** What an empty cell is not: it leaves a field as it is. */
const nothing = "#N/A";
/** The most characters that a cell may have. */
const mostCharacters = 32_000;

/** The text of a cell; undefined where the value cannot be said in one. */
export function cellOf(value: Value): string | undefined {
  if (value === null) return nothing;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text === nothing || text.length > mostCharacters ? undefined : text;
}

/** A table with a header. A record without a value for a column leaves that field as it is. */
export function toCsv(records: readonly Readonly<Record<string, string>>[]): string {
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const rows = records.map((record) => columns.map((column) => record[column] ?? ""));
  return stringify([columns, ...rows], { record_delimiter: "unix" });
}

type ResultRow = Readonly<Record<string, string>>;

export function parseResults(csv: string): readonly ResultRow[] {
  return parse(csv, { columns: true, bom: true, skip_empty_lines: true });
}

/** What a job says of its rows, each found by what it was sent with in `field`; `seqOf` gives whose that is. */
export function outcomesOfJob(
  { successful, failed }: { readonly successful: readonly ResultRow[]; readonly failed: readonly ResultRow[] },
  field: string,
  seqOf: (value: string) => number | undefined,
): readonly Outcome[] {
  const told = (row: ResultRow, outcome: (seq: number) => Outcome): readonly Outcome[] => {
    const seq = seqOf(row[field] ?? "");
    return seq === undefined ? [] : [outcome(seq)];
  };
  return [
    ...successful.flatMap((row) =>
      told(row, (seq) => ({ seq, kind: "accepted", ...(row["sf__Id"] ? { destinationId: row["sf__Id"] } : {}) })),
    ),
    ...failed.flatMap((row) => told(row, (seq) => refusedRow(seq, row["sf__Error"] ?? ""))),
  ];
}

/** `CODE:words:Field__c --`, where the field may be missing. */
function refusedRow(seq: number, error: string): Outcome {
  const {
    code = "REJECTED",
    words = error,
    field,
  } = /^(?<code>[A-Z_]+):(?<words>[^]*?):?(?<field>\w+)?\s*--\s*$/.exec(error)?.groups ?? {};
  const fields = field === undefined ? [] : [field];
  return ofError(seq, { success: false, errors: [{ statusCode: code, message: words.trim(), fields }] });
}
