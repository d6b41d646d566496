/** Changes → what is asked of a tab: cells of rows that are there, rows that are new, rows that go. Pure. */
import type { Batch, Change, Outcome } from "../../src/destination.ts";
import { type Cell, cellOf, keyOf, rowsByKey, type Table, type TableRow } from "./table.ts";

/** One step of a `batchUpdate`, as Google takes it. */
export type SheetRequest = Readonly<Record<string, unknown>>;

/** A change that is sent, with what its row must show afterwards. */
export interface Sent {
  readonly seq: number;
  readonly key: string;
  /** By column; undefined: the row goes. */
  readonly wanted: ReadonlyMap<number, Cell> | undefined;
  /** Where the row was found; undefined: it is new. */
  readonly row: TableRow | undefined;
}

/** What a batch asks of a tab, and the outcomes that need no asking. */
export interface Intent {
  readonly sent: readonly Sent[];
  readonly outcomes: readonly Outcome[];
}

/** The most characters of a cell. */
export const cellLimit = 50_000;

/** What is to be done for each change, with the table as it was just read. */
export function intentOf(batch: Batch, table: Table): Intent {
  const rows = batch.operation === "append" ? new Map<string, readonly TableRow[]>() : rowsByKey(table, batch.match);
  const sent: Sent[] = [];
  const outcomes: Outcome[] = [];
  for (const change of batch.changes) {
    const one = intentOfOne(change, batch, { table, rows });
    if ("kind" in one) outcomes.push(one);
    else sent.push(one);
  }
  return { sent, outcomes };
}

interface Found {
  readonly table: Table;
  readonly rows: ReadonlyMap<string, readonly TableRow[]>;
}

function intentOfOne(change: Change, { operation, match }: Batch, { table, rows }: Found): Sent | Outcome {
  const { seq, record } = change;
  const key = keyOf(match, change.match);
  const [row, another] = rows.get(key) ?? [];
  if (another && row) return rejected(seq, "key_repeated", repeatedWords(row, another), match[0]);
  if (operation === "delete" || operation === "clear") {
    // A row that is not there is removed already.
    if (!row) return { seq, kind: "accepted" };
    return operation === "delete" ? { seq, key, wanted: undefined, row } : toSent(change, key, row, table);
  }
  if (operation === "update" && !row)
    return rejected(seq, "not_found", "The tab has no row with this key, and update adds none.", match[0]);
  if (operation === "insert" && row) {
    const words = `Row ${row.index + 1} of the tab has this key already, and insert changes none.`;
    return rejected(seq, "already_there", words, match[0]);
  }
  // The cells of the key are not written again: written to the wrong row, they would cost it its own.
  const mapped = Object.fromEntries(Object.entries(record).filter(([name]) => !match.includes(name)));
  const written = { ...change, record: row ? mapped : { ...record, ...change.match } };
  return toSent(written, key, row, table);
}

function toSent({ seq, record }: Change, key: string, row: TableRow | undefined, { columns }: Table): Sent | Outcome {
  const wanted = new Map<number, Cell>();
  for (const [name, value] of Object.entries(record)) {
    const column = columns.get(name);
    const cell = cellOf(value);
    if (column === undefined)
      return rejected(seq, "column_missing", `The tab has no column (or two) with the header "${name}".`, name);
    if (typeof cell === "string" && cell.length > cellLimit)
      return rejected(seq, "too_long", `A cell takes ${cellLimit} characters, not ${cell.length}.`, name);
    if (typeof cell === "number" && !Number.isFinite(cell))
      return rejected(seq, "not_a_number", "A cell takes finite numbers only.", name);
    wanted.set(column, cell);
  }
  return { seq, key, wanted, row };
}

function repeatedWords(row: TableRow, another: TableRow): string {
  return `Rows ${row.index + 1} and ${another.index + 1} of the tab have this key: nobody could tell which is meant.`;
}

const rejected = (seq: number, code: string, message: string, field: string | undefined): Outcome => ({
  seq,
  kind: "rejected",
  code,
  message,
  field,
});

/** The steps that bring a tab to what is wanted. Rows go last and from below, so that no number shifts before its use. */
export function requestsOf(sent: readonly Sent[], sheetId: number): readonly SheetRequest[] {
  const updates = sent.flatMap(({ row, wanted }) => (row && wanted ? cellRequests(sheetId, row.index, wanted) : []));
  const added = sent.flatMap(({ row, wanted }) => (!row && wanted ? [wanted] : []));
  const gone = sent.flatMap(({ row, wanted }) => (row && !wanted ? [row.index] : []));
  return [
    ...updates,
    ...(added.length === 0 ? [] : [appendRequest(sheetId, added)]),
    ...gone
      .toSorted((one, other) => other - one)
      .map((index) => ({
        deleteDimension: { range: { sheetId, dimension: "ROWS", startIndex: index, endIndex: index + 1 } },
      })),
  ];
}

/** Writes cells of one row; columns side by side in one step. */
export function cellRequests(
  sheetId: number,
  rowIndex: number,
  wanted: ReadonlyMap<number, Cell>,
): readonly SheetRequest[] {
  const columns = [...wanted.keys()].toSorted((one, other) => one - other);
  const starts = columns.filter((column) => !wanted.has(column - 1));
  return starts.map((columnIndex) => {
    const values: unknown[] = [];
    for (let column = columnIndex; wanted.has(column); column += 1) values.push(cellData(wanted.get(column) ?? ""));
    return {
      updateCells: { start: { sheetId, rowIndex, columnIndex }, rows: [{ values }], fields: "userEnteredValue" },
    };
  });
}

/** Adds rows after the last one that has data, and enlarges the grid for them. */
export function appendRequest(sheetId: number, rows: readonly ReadonlyMap<number, Cell>[]): SheetRequest {
  const data = rows.map((row) => {
    const width = Math.max(-1, ...row.keys()) + 1;
    return { values: Array.from({ length: width }, (_, column) => cellData(row.get(column) ?? "")) };
  });
  return { appendCells: { sheetId, rows: data, fields: "userEnteredValue" } };
}

/** A text is told to be one: what begins with = is no formula, and 007 keeps its zeros. */
function cellData(cell: Cell): Readonly<Record<string, unknown>> {
  if (cell === "") return {};
  if (typeof cell === "number") return { userEnteredValue: { numberValue: cell } };
  return { userEnteredValue: typeof cell === "boolean" ? { boolValue: cell } : { stringValue: cell } };
}
