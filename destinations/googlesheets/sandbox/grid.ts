/** The cells of one tab, and the steps of a batchUpdate that the sandbox takes. */
import { z } from "zod";

export type SandboxCell = string | number | boolean | { readonly formula: string };

/** What Google says of a step that it refuses. */
export class RefusedStep extends Error {}

const cellSchema = z.strictObject({
  userEnteredValue: z
    .union([
      z.strictObject({ stringValue: z.string() }),
      z.strictObject({ numberValue: z.number() }),
      z.strictObject({ boolValue: z.boolean() }),
      z.strictObject({ formulaValue: z.string() }),
    ])
    .optional(),
});
const rowsSchema = z.array(z.strictObject({ values: z.array(cellSchema) }));
const start = z.strictObject({ sheetId: z.int(), rowIndex: z.int(), columnIndex: z.int() });
const span = z.strictObject({
  sheetId: z.int(),
  dimension: z.literal("ROWS"),
  startIndex: z.int(),
  endIndex: z.int(),
});

const fields = z.literal("userEnteredValue");

export const stepSchema = z.union([
  z.strictObject({ updateCells: z.strictObject({ start, rows: rowsSchema, fields }) }),
  z.strictObject({ appendCells: z.strictObject({ sheetId: z.int(), rows: rowsSchema, fields }) }),
  z.strictObject({ deleteDimension: z.strictObject({ range: span }) }),
]);

export type Step = z.output<typeof stepSchema>;

const cellCharacters = 50_000;

/** One tab. Rows and columns are counted from 0; the grid has an end, which only appending moves. */
export class Grid {
  readonly sheetId: number;
  readonly title: string;
  rows: SandboxCell[][];
  #rowCount: number;
  readonly #columnCount: number;

  constructor(sheetId: number, title: string, rows: readonly (readonly SandboxCell[])[]) {
    this.sheetId = sheetId;
    this.title = title;
    this.rows = rows.map((row) => [...row]);
    this.#rowCount = Math.max(1000, rows.length);
    this.#columnCount = Math.max(26, ...rows.map((row) => row.length));
  }

  copy(): Grid {
    return new Grid(this.sheetId, this.title, this.rows);
  }

  /** The cells that have values; a formula shows as an error, for nothing computes it here. */
  values(): (string | number | boolean)[][] {
    const shown = this.rows.map((row) => trimmed(row.map((cell) => (typeof cell === "object" ? "#NAME?" : cell))));
    while (shown.at(-1)?.length === 0) shown.pop();
    return shown;
  }

  take(step: Step): void {
    if ("updateCells" in step) {
      const { start: at, rows } = step.updateCells;
      this.#within(at.rowIndex + rows.length, at.columnIndex + Math.max(0, ...rows.map(({ values }) => values.length)));
      rows.forEach(({ values }, down) => this.#put(at.rowIndex + down, at.columnIndex, values.map(toCell)));
      return;
    }
    if ("appendCells" in step) {
      const { rows } = step.appendCells;
      const from = this.values().length;
      this.#rowCount = Math.max(this.#rowCount, from + rows.length);
      this.#within(from, Math.max(0, ...rows.map(({ values }) => values.length)));
      rows.forEach(({ values }, down) => this.#put(from + down, 0, values.map(toCell)));
      return;
    }
    const { startIndex, endIndex } = step.deleteDimension.range;
    this.#within(endIndex, 0);
    this.rows.splice(startIndex, endIndex - startIndex);
    this.#rowCount -= endIndex - startIndex;
  }

  #within(rows: number, columns: number): void {
    if (rows > this.#rowCount || columns > this.#columnCount)
      throw new RefusedStep(`Attempting to write outside the grid, which has ${this.#rowCount} rows.`);
  }

  #put(row: number, column: number, cells: readonly SandboxCell[]): void {
    while (this.rows.length <= row) this.rows.push([]);
    const target = this.rows[row] ?? [];
    while (target.length < column) target.push("");
    target.splice(column, cells.length, ...cells);
  }
}

function toCell({ userEnteredValue: value }: z.output<typeof cellSchema>): SandboxCell {
  if (value === undefined) return "";
  if ("numberValue" in value) return value.numberValue;
  if ("boolValue" in value) return value.boolValue;
  if ("formulaValue" in value) return { formula: value.formulaValue };
  if (value.stringValue.length <= cellCharacters) return value.stringValue;
  throw new RefusedStep("Your input contains more than the maximum of 50000 characters in a single cell.");
}

function trimmed<Cell>(row: readonly Cell[]): Cell[] {
  const shown = [...row];
  while (shown.at(-1) === "") shown.pop();
  return shown;
}
