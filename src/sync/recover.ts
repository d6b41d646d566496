/** Settles the runs of a sync whose worker was lost, before a new one plans. */
import type { RunRef } from "../warehouse.ts";
import { commit, noCounts, plannedChanges } from "./commit.ts";
import type { RunCounts, RunEnd, RunIdentity, SyncSpec } from "./ports.ts";
import { noRecords } from "./records.ts";
import { resumeJobs } from "./resume.ts";
import type { World } from "./world.ts";

/**
 * Takes over every open plan of the sync, except the run's own when it goes on with it: asks for the outcomes of jobs that
 * were waited for, commits what the journal holds, leaves what was sent without an answer in doubt, and ends those runs as failed.
 */
export async function recover(
  run: RunToSettle,
  world: World,
  { keepOwn, signal }: { readonly keepOwn: boolean; readonly signal: AbortSignal },
): Promise<void> {
  for (const open of await world.planner.openRuns()) {
    if (keepOwn && open.id === run.id) continue;
    await settleLost(open, run, world, signal);
  }
}

/** A run, and the sync as it knows it. */
type RunToSettle = RunIdentity & { readonly spec: SyncSpec };

async function settleLost(open: RunRef, by: RunToSettle, world: World, signal: AbortSignal): Promise<void> {
  const taken = { id: open.id, fence: by.fence };
  if (open.fence !== by.fence && !(await world.planner.takeOver(taken))) return;
  await resumeJobs(open.id, by, world, signal);
  const counts = await settle({ ...taken, spec: by.spec }, world);
  if (open.id !== by.id) await world.store.endLost(open.id, by, lostEnd(counts));
}

/** Commits an open plan from its journal, or closes it when nothing of it was sent. */
export async function settle(open: RunRef & { readonly spec: SyncSpec }, world: World): Promise<RunCounts> {
  const before = (await world.store.counts(open.id)) ?? noCounts;
  // The plan's counts are stored before the first request: without them nothing was sent.
  if (plannedChanges(before) > 0)
    return commit(open, before, world, open.spec.keepValues === true ? noRecords() : null);
  await world.planner.discard(open);
  return before;
}

/** How a run ends whose worker was lost. */
export function lostEnd(counts: RunEnd["counts"]): RunEnd {
  const unanswered = counts.inDoubt - counts.unsent;
  return {
    status: "failed",
    counts,
    failure: {
      code: "worker_lost",
      message: `The process that did this run ended before it was done. ${unanswered} changes had no answer and are in doubt, ${counts.unsent} were never sent.`,
      hint: "Nothing to do: the next run sends them again.",
    },
  };
}
