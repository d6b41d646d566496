/** What every planner says of runs and fences, wherever it keeps them. */
import { WarehouseError } from "../errors.ts";
import type { OutcomePages, OutcomeRow, RunRef, StateRow } from "../warehouse.ts";
import type { AppendColumn, Row } from "./dialect.ts";
import { parseCells } from "./plan-rows.ts";

/** A closed run is remembered so long that a late, repeated commit of it is recognized. */
export const keepRunsMs = 30 * 86_400_000;

/** A fence is a whole number, or the SQL that it stands in would not be ours. */
export function fenceOf({ fence }: RunRef): string {
  if (!Number.isSafeInteger(fence)) throw new WarehouseError("fence_invalid", `${fence} is not a fence.`);
  return String(fence);
}

export function planGone(run: string): WarehouseError {
  return new WarehouseError("plan_gone", `The plan of run ${run} is no longer there.`, { hint: "Start a new run." });
}

export function planOpen(other: string): WarehouseError {
  return new WarehouseError("plan_open", `Run ${other} of this sync has a plan that is not committed.`, {
    hint: "It is to be taken over and committed, or discarded, before a new plan is made.",
  });
}

/** The columns of a table of outcomes, as rows are added to it. */
export const outcomeColumns: readonly AppendColumn[] = [
  { name: "run_id", type: "text" },
  { name: "fence", type: "bigint" },
  { name: "part", type: "bigint" },
  { name: "seq", type: "bigint" },
  { name: "kind", type: "text" },
  { name: "record_hash", type: "text" },
  { name: "destination_id", type: "text" },
  { name: "code", type: "text" },
  { name: "message", type: "text" },
];

/** Outcomes as rows of such a table. Of two outcomes of one change, the one with the higher part counts. */
export async function* outcomeRows(run: RunRef, part: number, pages: OutcomePages): AsyncIterable<readonly Row[]> {
  const place = [run.id, fenceOf(run), String(part)] as const;
  for await (const page of pages) yield page.map((outcome) => outcomeRow(place, outcome));
}

function outcomeRow([id, fence, part]: readonly [string, string, string], outcome: OutcomeRow): Row {
  const { seq, kind, recordHash = null, destinationId = null, code = null, message = null } = outcome;
  return [id, fence, part, String(seq), kind, recordHash, destinationId, code, message];
}

/** A query for the rows of state, as `parseState` reads them. */
export function stateQuery(state: string): string {
  return `select row_key, case when fingerprint is null then 1 else 0 end, record_hash, destination_id, match_cells, run_id
from ${state} order by row_key`;
}

export function parseState([rowKey, inDoubt, recordHash, destinationId, match, runId]: Row): StateRow {
  return {
    rowKey: rowKey ?? "",
    inDoubt: inDoubt === "1",
    recordHash: recordHash ?? null,
    destinationId: destinationId ?? null,
    match: parseCells(match),
    runId: runId ?? "",
  };
}
