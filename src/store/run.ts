/** One run, as the control store has it. */
import type { Selectable } from "kysely";
import type { GateReport, RunCounts, RunFailure, RunKind, RunStatus } from "../sync/ports.ts";
import type { RunsTable } from "./tables.ts";

/** A run as the control store has it. */
export interface Run {
  readonly id: string;
  readonly sync: string;
  readonly kind: RunKind;
  readonly trigger: string;
  readonly status: RunStatus;
  /** A person let it pass the gate. */
  readonly released: boolean;
  readonly cancelRequested: boolean;
  readonly counts: RunCounts;
  readonly failure: RunFailure | null;
  readonly gate: GateReport | null;
  /** The fence under which it was claimed last; 0 before. */
  readonly fence: number;
  readonly worker: string | null;
  /** Of a revert: the run that it undoes. */
  readonly reverts: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** The columns of a run, without the documents it was made of. */
export const runColumns = [
  "id",
  "sync",
  "kind",
  "trigger",
  "status",
  "released",
  "cancel_requested",
  "counts",
  "failure",
  "gate",
  "fence",
  "worker",
  "reverts",
  "created_at",
  "started_at",
  "ended_at",
] as const;

type RunRow = Pick<Selectable<RunsTable>, (typeof runColumns)[number]>;

/** A row as the faces see it. */
export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    sync: row.sync,
    kind: row.kind,
    trigger: row.trigger,
    status: row.status,
    released: row.released,
    cancelRequested: row.cancel_requested,
    counts: row.counts,
    failure: row.failure,
    gate: row.gate,
    fence: Number(row.fence),
    worker: row.worker,
    reverts: row.reverts,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
