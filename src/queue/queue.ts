/**
 * The queue is a doorbell. A job says which run to look at; whether there is anything to do, and who may do it, the
 * control store decides. Losing every job loses no work: the reconciler rings again.
 */
import type { Store } from "../store/open.ts";
import { type JobData, openPostgresBackend, openRedisBackend } from "./backends.ts";
import { startWorker, type Work, type WorkOptions } from "./worker.ts";

export interface Queue {
  /** Calls a worker to a run. Never rejects: a ring that fails is told to `onError`, and made up for. */
  ring(runId: string): Promise<void>;
  /** Calls one more worker to a run that a worker does, and so many have joined. Like `ring`; made up for by the next call. */
  call(runId: string, joined: number): Promise<void>;
  /** Does runs as they are rung, until `close`. */
  work(work: Work, options: WorkOptions): void;
  /**
   * Takes no more runs and aborts those that are being done, with the reason; waits so long for them to settle.
   * Safe to call twice.
   */
  close(graceMs: number, reason?: unknown): Promise<void>;
}

export interface QueueOptions {
  /** Undefined: on the control store. */
  readonly redisUrl?: string | undefined;
  readonly store: Store;
  /** Told of what went wrong behind the scenes. Nothing is lost by it. */
  readonly onError: (error: unknown) => void;
}

/** Opens the queue, on Redis or on the control store. Throws `queue_unreachable` when there is no answer. */
export async function openQueue({ redisUrl, store, onError }: QueueOptions): Promise<Queue> {
  const backend = await (redisUrl === undefined ? openPostgresBackend(store.pool) : openRedisBackend(redisUrl));
  backend.queue.on("error", onError);
  const workers: { close(graceMs: number, reason?: unknown): Promise<void> }[] = [];
  let closing: Promise<void> | undefined;

  async function ring(runId: string, joined?: number): Promise<void> {
    try {
      await backend.queue.add("run", { run: runId } satisfies JobData, { jobId: await jobId(store, runId, joined) });
    } catch (error) {
      onError(error);
    }
  }

  async function close(graceMs: number, reason?: unknown): Promise<void> {
    await Promise.all(workers.map((worker) => worker.close(graceMs, reason)));
    await backend.close();
  }

  return {
    ring: (runId) => ring(runId),
    call: (runId, joined) => ring(runId, joined),
    work: (work, options) => {
      workers.push(startWorker(backend, { store, ring, onError }, work, options));
    },
    close: (graceMs, reason) => (closing ??= close(graceMs, reason)),
  };
}

/**
 * The same while nobody has claimed the run, so that rings collapse into one job. Another after each claim: the job of
 * a worker that died stays behind as active, and must not swallow the ring for its successor. Likewise another for each
 * worker that is to join: the jobs of those who have are active.
 */
async function jobId(store: Store, runId: string, joined?: number): Promise<string> {
  const { fence } = await store.runs.get(runId);
  return joined === undefined ? `${runId}-${fence}` : `${runId}-${fence}-${joined}`;
}
