/** Sends a plan, or a stretch of one. */
import type { Column } from "../warehouse.ts";
import { deliver } from "./deliver.ts";
import type { Journal } from "./journal.ts";
import type { RunIdentity, RunKind, SyncSpec, When } from "./ports.ts";
import type { PreparedDestination } from "./prepare.ts";
import { conditionalFields } from "./when.ts";
import type { World } from "./world.ts";

/** What of a run decides how its plan is sent. */
export interface RunToSend extends RunIdentity {
  readonly kind: RunKind;
  readonly spec: SyncSpec;
}

export interface Sending extends PreparedDestination {
  readonly run: RunToSend;
  /** What the cells of the plan's rows are. */
  readonly columns: readonly Column[];
  readonly journal: Journal;
  readonly world: World;
  readonly onProgress: () => void;
}

/** Rows of the plan that are in memory at a time. */
export const pageRows = 250;

/** Sends the changes from one seq to another, both included; all where none is named. Rejects with why it stopped early. */
export async function sendStretch(
  { run, columns, object, map, journal, world, onProgress }: Sending,
  { from = 1, to = Number.POSITIVE_INFINITY }: { readonly from?: number; readonly to?: number },
  signal: AbortSignal,
): Promise<void> {
  const { spec, kind } = run;
  const { planner, connection, concurrency, clock } = world;
  const pages = planner.read(run, { columns, pageRows, afterSeq: from - 1, limit: to - from + 1 }, signal);
  // What a revert puts back is written whatever the record has now.
  const conditional = kind === "revert" ? new Map<string, When>() : conditionalFields(spec);
  const delivery = { run, spec, object, connection, journal, map, kind, conditional, concurrency, clock, onProgress };
  await deliver(delivery, pages, signal);
}
