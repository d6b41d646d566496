/** Reads rows of a plan table. */
import { z } from "zod";
import type { Cell, Column, PlanCounts, PlannedChange } from "../warehouse.ts";
import type { Dialect, Row, Session } from "./dialect.ts";

/** One planned change as one text, a JSON array: a row of one value is read several times as fast as one of nine. */
export function changeText(dialect: Dialect): string {
  const text = (column: string): string => `coalesce(${dialect.json(column)}, 'null')`;
  // What is JSON already stands in it as it is.
  const json = (column: string): string => `coalesce(${column}, 'null')`;
  const number = (column: string): string => `cast(${column} as varchar)`;
  const parts = [
    number("seq"),
    text("kind"),
    text("row_key"),
    number("known"),
    text("known_hash"),
    text("known_id"),
    json("known_match"),
    number("reclaimed"),
    json("cells"),
  ];
  return `'[' || ${parts.join(" || ',' || ")} || ']'`;
}

const cellsSchema = z.array(z.string().nullable());
const changeSchema = z.tuple([
  z.int(),
  z.enum(["added", "changed", "removed", "null_key", "duplicate_key", "duplicate_match"]),
  z.string(),
  z.union([z.literal(0), z.literal(1)]),
  z.string().nullable(),
  z.string().nullable(),
  cellsSchema.nullable(),
  z.union([z.literal(0), z.literal(1)]),
  cellsSchema.nullable(),
]);

/** One planned change from its text. */
export function parseChange([text]: Row, columns: readonly Column[]): PlannedChange {
  const parsed = changeSchema.parse(JSON.parse(text ?? ""));
  const [seq, kind, rowKey, known, recordHash, destinationId, match, reclaimed, cells] = parsed;
  return {
    seq,
    kind,
    rowKey,
    cells: cells === null ? null : wireCells(cells, columns),
    known: known === 1 ? { recordHash, destinationId, match: match ?? [] } : null,
    reclaimed: reclaimed === 1,
  };
}

function wireCells(cells: readonly Cell[], columns: readonly Column[]): readonly Cell[] {
  return columns.map((column, index) => wireCell(column, cells[index] ?? null));
}

/** A JSON array of cells, as it is kept in state. */
export function parseCells(text: string | null | undefined): readonly Cell[] {
  return text == null ? [] : cellsSchema.parse(JSON.parse(text));
}

/** A cell as the contract writes it: only the spelling of a float's exponent differs between warehouses. */
export function wireCell({ type }: Column, cell: Cell): Cell {
  if (type !== "float" || cell === null) return cell;
  const named: Readonly<Record<string, string>> = { nan: "NaN", inf: "Infinity", "-inf": "-Infinity" };
  return named[cell.toLowerCase()] ?? String(Number(cell));
}

/** The counts of a plan that was just made. */
export async function countPlan(session: Session, plan: string): Promise<PlanCounts> {
  const groups = await session.query(`select kind, waiting, count(*), max(model_rows), max(state_rows)
    from ${plan} group by kind, waiting`);
  const count = (kind: string): number =>
    Number(groups.find(([name, waits]) => name === kind && waits === "0")?.[2] ?? 0);
  const [, , , modelRows, stateRows] = groups.find(([name]) => name === "plan") ?? [];
  const sum = (rows: readonly Row[]): number => rows.reduce((total, row) => total + Number(row[2]), 0);
  const ofModel = groups.filter(([kind]) => kind !== "removed" && kind !== "plan");
  return {
    added: count("added"),
    changed: count("changed"),
    removed: count("removed"),
    nullKeys: count("null_key"),
    duplicateKeys: count("duplicate_key"),
    duplicateMatches: count("duplicate_match"),
    unchanged: Number(modelRows) - sum(ofModel),
    waiting: sum(groups.filter(([, waits]) => waits === "1")),
    modelRows: Number(modelRows),
    stateRows: Number(stateRows),
  };
}
