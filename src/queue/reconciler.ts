/** Makes up for everything that the queue may lose: rings for runs that wait or lost their worker, starts what is due. */
import type { Store } from "../store/open.ts";
import type { Queue } from "./queue.ts";
import { type Repeating, repeat } from "../repeat.ts";
import { type StartRun, startDue } from "./schedules.ts";

export interface Reconciliation {
  readonly store: Store;
  readonly queue: Pick<Queue, "ring">;
  readonly startRun: StartRun;
  /** Asks for the runs that follow others. */
  readonly startSequels: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Looks once. Safe in any number of processes at a time. */
export async function reconcile({ store, queue, startRun, startSequels, onError }: Reconciliation): Promise<void> {
  // Its own trouble must not keep lost runs from being found.
  await startDue(store, startRun, onError).catch(onError);
  await startSequels().catch(onError);
  await store.hooks.prune().catch(onError);
  await store.notices.prune().catch(onError);
  for (const run of await store.runs.orphaned()) await queue.ring(run.id);
  for (const run of await store.runs.queued()) await queue.ring(run.id);
}

/** Looks now, and then every so often. */
export function startReconciler(work: Reconciliation, { everyMs = 5000 }: { everyMs?: number } = {}): Repeating {
  return repeat(() => reconcile(work), { everyMs, onError: work.onError });
}
