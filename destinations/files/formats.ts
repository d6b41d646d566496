/** The forms that a file can have. */
import { toCsv } from "./csv.ts";
import { toParquet } from "./parquet.ts";
import type { FileRows } from "./rows.ts";
import type { FilesConfig } from "./settings.ts";

export const contentTypes = { csv: "text/csv; charset=utf-8", parquet: "application/vnd.apache.parquet" } as const;

export async function toBytes(file: FileRows, { format, guard_formulas }: FilesConfig): Promise<Uint8Array> {
  return format === "csv" ? toCsv(file, guard_formulas) : await toParquet(file);
}
