/** The forms that a file can have. */
import type { ColumnType } from "./cells.ts";
import { toCsv } from "./csv.ts";
import { toParquet } from "./parquet.ts";
import type { FilesConfig } from "./settings.ts";

/** What a file holds: a row is a cell for each column. */
export interface FileRows {
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export const contentTypes = { csv: "text/csv; charset=utf-8", parquet: "application/vnd.apache.parquet" } as const;

export async function toBytes(file: FileRows, { format, guard_formulas }: FilesConfig): Promise<Uint8Array> {
  return format === "csv" ? toCsv(file, guard_formulas) : await toParquet(file);
}
