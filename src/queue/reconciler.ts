/** Makes up for everything that the queue may lose: rings for runs that wait or lost their worker, starts what is due. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../store/open.ts";
import type { Queue } from "./queue.ts";
import { type StartRun, startDue } from "./schedules.ts";

export interface Reconciliation {
  readonly store: Store;
  readonly queue: Pick<Queue, "ring">;
  readonly startRun: StartRun;
  readonly onError: (error: unknown) => void;
}

/** Looks once. Safe in any number of processes at a time. */
export async function reconcile({ store, queue, startRun, onError }: Reconciliation): Promise<void> {
  // Its own trouble must not keep lost runs from being found.
  await startDue(store, startRun, onError).catch(onError);
  await store.hooks.prune().catch(onError);
  for (const run of await store.runs.orphaned()) await queue.ring(run.id);
  for (const run of await store.runs.queued()) await queue.ring(run.id);
}

export interface Reconciler {
  /** Resolves when nothing of it goes on any more. */
  close(): Promise<void>;
}

/** Looks now, and then every so often. What goes wrong is told to `onError` and tried again. */
export function startReconciler(work: Reconciliation, { everyMs = 5000 }: { everyMs?: number } = {}): Reconciler {
  const stopping = new AbortController();
  const running = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await reconcile(work).catch(work.onError);
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}
