/** Reads rows of a plan table. */
import { z } from "zod";
import type { Cell, Column, PlanCounts, PlannedChange } from "../warehouse.ts";
import type { Row, Session } from "./dialect.ts";

/** The columns that `parseChange` takes, in its order. */
export const planColumns = "seq, kind, row_key, known, known_hash, known_id, known_match, reclaimed, cells";

const kinds = z.enum(["added", "changed", "removed", "null_key", "duplicate_key", "duplicate_match"]);

/** One planned change from a row of `planColumns`. */
export function parseChange(row: Row, columns: readonly Column[]): PlannedChange {
  const [seq, kind, rowKey, known, recordHash, destinationId, match, reclaimed, cells] = row;
  return {
    seq: Number(seq),
    kind: kinds.parse(kind),
    rowKey: rowKey ?? "",
    cells: cells == null ? null : wireCells(parseCells(cells), columns),
    known:
      known === "1"
        ? { recordHash: recordHash ?? null, destinationId: destinationId ?? null, match: parseCells(match) }
        : null,
    reclaimed: reclaimed === "1",
  };
}

function wireCells(cells: readonly Cell[], columns: readonly Column[]): readonly Cell[] {
  return columns.map((column, index) => wireCell(column, cells[index] ?? null));
}

const cellsText = z.array(z.string().nullable());

/** A JSON array of cells, as it is kept in state. */
export function parseCells(text: string | null | undefined): readonly Cell[] {
  return text == null ? [] : cellsText.parse(JSON.parse(text));
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
