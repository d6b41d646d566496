/** A tab read as a table: its header row, and the rows under it by key. Pure. */
import type { DestinationRecord, Value } from "../../src/destination.ts";

/** A cell as Google tells it; an empty one is "". */
export type Cell = string | number | boolean;

export interface TableRow {
  /** Counted from 0, the header row and those above it included. */
  readonly index: number;
  readonly cells: readonly Cell[];
}

export interface Table {
  /** Column index by header. Headers that are empty or stand twice are left out. */
  readonly columns: ReadonlyMap<string, number>;
  /** Headers that stand in two columns: nobody could tell which is meant. */
  readonly repeated: readonly string[];
  readonly rows: readonly TableRow[];
}

/** The table in a tab's cells, with its headers in the row of that number. */
export function tableIn(cells: readonly (readonly Cell[])[], headerRow: number): Table {
  const headers = (cells[headerRow - 1] ?? []).map((cell) => String(cell).trim());
  const named = headers.filter((header) => header !== "");
  const repeated = [...new Set(named.filter((header, at) => named.indexOf(header) !== at))];
  const columns = new Map(
    headers.flatMap((header, at) => (header === "" || repeated.includes(header) ? [] : [[header, at] as const])),
  );
  const rows = cells.slice(headerRow).map((row, at) => ({ index: headerRow + at, cells: row }));
  return { columns, repeated, rows };
}

/** A value as a cell holds it. Lists and objects are JSON text; null is an empty cell. */
export function cellOf(value: Value): Cell {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : value;
}

/** The key of a record, by its match fields. A number and its digits as text are one key: people type both. */
export const keyOf = (match: readonly string[], record: DestinationRecord): string =>
  JSON.stringify(match.map((name) => String(cellOf(record[name] ?? null))));

/** The rows of a table by key; several where a key stands twice. Rows without a key are left out. */
export function rowsByKey(
  { columns, rows }: Table,
  match: readonly string[],
): ReadonlyMap<string, readonly TableRow[]> {
  const found = new Map<string, TableRow[]>();
  for (const row of rows) {
    const parts = match.map((name) => String(cellAt(row, columns.get(name))));
    if (parts.every((part) => part === "")) continue;
    const key = JSON.stringify(parts);
    const present = found.get(key);
    if (present) present.push(row);
    else found.set(key, [row]);
  }
  return found;
}

/** What a row holds in a column; "" where nothing. */
export const cellAt = ({ cells }: TableRow, column: number | undefined): Cell =>
  column === undefined ? "" : (cells[column] ?? "");

/** Whether a row shows all that was sent for it. */
export const shows = (row: TableRow, wanted: ReadonlyMap<number, Cell>): boolean =>
  [...wanted].every(([column, cell]) => cellAt(row, column) === cell);
