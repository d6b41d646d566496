/** What a file holds, in whichever form: a row is a cell for each column. */
import type { ColumnType } from "./cells.ts";

export interface FileRows {
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
  readonly rows: readonly (readonly (string | null)[])[];
}
