/** Does the runs that are rung. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { SluiceError } from "../errors.ts";
import type { Store } from "../store/open.ts";
import type { QueueBackend } from "./backends.ts";

/** Claims a run and does it, or finds that there is nothing to do. `signal` is aborted when the service shuts down. */
export type Work = (runId: string, signal: AbortSignal) => Promise<void>;

export interface WorkOptions {
  /** Runs at a time in this process. */
  readonly concurrency: number;
}

interface Surroundings {
  readonly store: Store;
  readonly ring: (runId: string) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Whoever can write to the queue can write anything: all that is taken from there is which run to look at. */
const jobSchema = z.object({ run: z.string().regex(/^run_[0-9a-z_-]{1,100}$/i) });

/** Starts doing runs. */
export function startWorker(
  backend: QueueBackend,
  { store, ring, onError }: Surroundings,
  work: Work,
  { concurrency }: WorkOptions,
): { close(graceMs: number, reason?: unknown): Promise<void> } {
  const stopping = new AbortController();
  const working = new Set<Promise<void>>();

  async function answer(runId: string): Promise<void> {
    // Left for another worker: the reconciler rings again.
    if (stopping.signal.aborted) return;
    try {
      await work(runId, stopping.signal);
      if (!stopping.signal.aborted) await ringNext(runId);
    } catch (error) {
      // The job is done either way: what becomes of the run is written in the store.
      onError(error);
    }
  }

  /** The sync is free now: a run that waited for it need not wait for the reconciler too. */
  async function ringNext(runId: string): Promise<void> {
    const { sync } = await store.runs.get(runId);
    const next = await store.runs.active(sync);
    if (next?.status === "queued" && next.id !== runId) await ring(next.id);
  }

  const worker = backend.startWorker(
    async ({ data }) => {
      const job = jobSchema.safeParse(data);
      if (!job.success)
        return onError(new SluiceError("job_invalid", "A job in the queue names no run; it was dropped."));
      const answering = answer(job.data.run);
      working.add(answering);
      await answering.finally(() => working.delete(answering));
    },
    { concurrency },
  );
  worker.on("error", onError);

  async function close(graceMs: number, reason?: unknown): Promise<void> {
    stopping.abort(reason ?? new SluiceError("shutdown", "The service is shutting down."));
    await worker.pause(true);
    const grace = new AbortController();
    const waited = sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined);
    await Promise.race([Promise.all(working), waited]);
    grace.abort();
    // Without force it would wait for those that did not settle in time.
    await worker.close(working.size > 0);
  }

  return { close };
}
