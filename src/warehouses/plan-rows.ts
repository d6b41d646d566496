/** Reads rows of a plan table. */
import { z } from "zod";
import { WarehouseError } from "../errors.ts";
import type { Cell, Column, PlanCounts, PlannedChange } from "../warehouse.ts";
import type { Dialect, Row, Session } from "./dialect.ts";
import { parsePlainJson } from "./plain-json.ts";

/** One planned change as one JSON text: a row of one value is read several times as fast as one of nine. */
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
const kinds: ReadonlySet<unknown> = new Set<PlannedChange["kind"]>([
  "added",
  "changed",
  "removed",
  "null_key",
  "duplicate_key",
  "duplicate_match",
]);

/** seq, kind, row key, known (2: and named), known hash, known id, known match, reclaimed, cells. */
type ChangeText = readonly [
  number,
  PlannedChange["kind"],
  string,
  0 | 1 | 2,
  string | null,
  string | null,
  readonly Cell[] | null,
  0 | 1,
  readonly Cell[] | null,
];

/** By hand, because a schema makes a copy of every cell, which takes as long as all else. */
function isChangeText(value: unknown): value is ChangeText {
  if (!Array.isArray(value) || value.length !== 9) return false;
  const [seq, kind, rowKey, known, hash, id, match, reclaimed, cells] = value as readonly unknown[];
  return (
    Number.isSafeInteger(seq) &&
    kinds.has(kind) &&
    typeof rowKey === "string" &&
    (known === 0 || known === 1 || known === 2) &&
    isCell(hash) &&
    isCell(id) &&
    areCells(match) &&
    (reclaimed === 0 || reclaimed === 1) &&
    areCells(cells)
  );
}

function isCell(value: unknown): value is Cell {
  return value === null || typeof value === "string";
}

function areCells(value: unknown): value is readonly Cell[] | null {
  return value === null || (Array.isArray(value) && value.every(isCell));
}

function changesIn(page: string): readonly ChangeText[] {
  const changes = parsePlainJson(page);
  if (Array.isArray(changes) && changes.every(isChangeText)) return changes;
  throw new WarehouseError("broken_plan", "The plan table holds what no planner wrote.", {
    hint: "Nothing else may write to the planner's schema. The next run plans anew.",
  });
}

/** Planned changes from a JSON array of their texts. */
export function parseChanges(page: string, columns: readonly Column[]): readonly PlannedChange[] {
  const floats = columns.flatMap(({ type }, index) => (type === "float" ? [index] : []));
  return changesIn(page).map(([seq, kind, rowKey, known, recordHash, destinationId, match, reclaimed, cells]) => ({
    seq,
    kind,
    rowKey,
    cells: cells === null ? null : wireCells(cells, floats),
    known: known === 0 ? null : { recordHash, destinationId, match: match ?? [] },
    named: known === 2,
    reclaimed: reclaimed === 1,
  }));
}

function wireCells(cells: readonly Cell[], floats: readonly number[]): readonly Cell[] {
  if (floats.length === 0) return cells;
  const wired = [...cells];
  for (const index of floats) wired[index] = wireFloat(cells[index] ?? null);
  return wired;
}

/** A JSON array of cells, as it is kept in state. */
export function parseCells(text: string | null | undefined): readonly Cell[] {
  return text == null ? [] : cellsSchema.parse(JSON.parse(text));
}

/** A cell as the contract writes it: only the spelling of a float's exponent differs between warehouses. */
export function wireCell({ type }: Column, cell: Cell): Cell {
  return type === "float" ? wireFloat(cell) : cell;
}

function wireFloat(cell: Cell): Cell {
  // Only a name or an exponent has letters. There may be millions of cells, and names are rare.
  if (cell === null || !/[a-z]/i.test(cell)) return cell;
  if (/^nan$/i.test(cell)) return "NaN";
  if (/^-?inf$/i.test(cell)) return cell.startsWith("-") ? "-Infinity" : "Infinity";
  return String(Number(cell));
}

/** The counts of a plan that was just made. */
export async function countPlan(session: Session, plan: string): Promise<PlanCounts> {
  const groups = await session.query(`select kind, waiting, count(*), max(model_rows), max(state_rows),
    max(case when kind = 'plan' then cells end) from ${plan} group by kind, waiting`);
  const count = (kind: string): number =>
    Number(groups.find(([name, waits]) => name === kind && waits === "0")?.[2] ?? 0);
  const [, , , modelRows, stateRows, notFound] = groups.find(([name]) => name === "plan") ?? [];
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
    notFound: Number(notFound ?? 0),
  };
}
