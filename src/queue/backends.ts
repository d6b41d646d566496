/** Where BullMQ keeps its jobs: Redis where one is given, else the control store. The rest of the queue cannot tell. */
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgresBackend, Queue, runMigrations, withBackend, Worker, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import { messageOf, SluiceError } from "../errors.ts";
import type { StorePool } from "../store/pool.ts";

/** All that a job carries. */
export interface JobData {
  readonly run: string;
}

type Process = (job: { readonly data: JobData }) => Promise<void>;

/** The part of BullMQ's queue that is used. */
interface JobQueue {
  add(name: string, data: JobData, options: { jobId: string }): Promise<unknown>;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** The part of BullMQ's worker that is used. */
interface JobWorker {
  /** Takes no more jobs. */
  pause(doNotWaitActive: true): Promise<void>;
  close(force?: boolean): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface QueueBackend {
  readonly queue: JobQueue;
  startWorker(process: Process, options: { readonly concurrency: number }): JobWorker;
  close(): Promise<void>;
}

const queueName = "runs";

// A job is a doorbell: one that is done, or failed, is of no use to anybody.
const jobDefaults = { removeOnComplete: true, removeOnFail: true, attempts: 1 } as const;

/**
 * A job that stalls is rung again for as long as it takes: whether its run still needs doing, the lease decides. So it
 * may also count as stalled soon: a worker that died between the job and the lease costs seconds, and one that is only
 * slow nothing. After a break the backend is asked again soon, too.
 */
const workerDefaults = {
  maxStalledCount: 1_000_000,
  lockDuration: 10_000,
  stalledInterval: 5000,
  runRetryDelay: 2000,
} satisfies Partial<WorkerOptions>;

/** Jobs on the control store, in BullMQ's own schema, which is brought up to date first. */
export async function openPostgresBackend(pool: StorePool): Promise<QueueBackend> {
  const session = await pool.connect();
  try {
    await runMigrations(session);
  } finally {
    session.release();
  }
  const bull = withBackend(createPostgresBackend);
  const queue = new bull.Queue<JobData, void>(queueName, { connection: pool, defaultJobOptions: jobDefaults });
  await queue.waitUntilReady();
  return {
    queue,
    startWorker: (process, { concurrency }) =>
      new bull.Worker<JobData, void>(queueName, process, { ...workerDefaults, connection: pool, concurrency }),
    close: () => queue.close(),
  };
}

const keyPrefix = "sluice";
const connectMs = 10_000;
const answerMs = 500;

/** A Redis that stands still keeps its connections: whoever asks for a run must not wait for it. */
const ringMs = 1000;

/** Jobs on Redis. Throws `queue_unreachable` when it does not answer at the start; later it may come and go. */
export async function openRedisBackend(url: string): Promise<QueueBackend> {
  // Ringing fails at once while Redis is away, instead of waiting for it: the reconciler rings again.
  const ringing = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    lazyConnect: true,
    commandTimeout: ringMs,
  });
  const waiting = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true });
  // Each is heard by the queue or the worker that has it; before that, nobody would.
  for (const connection of [ringing, waiting]) connection.on("error", () => undefined);
  await connect(ringing, url);
  const queue = new Queue<JobData, void>(queueName, {
    connection: ringing,
    prefix: keyPrefix,
    defaultJobOptions: jobDefaults,
  });
  await queue.waitUntilReady();
  return {
    queue,
    startWorker: (process, { concurrency }) => {
      const options = { ...workerDefaults, connection: waiting, prefix: keyPrefix, concurrency };
      const worker = new Worker<JobData, void>(queueName, process, options);
      return {
        on: (event, listener) => worker.on(event, listener),
        pause: (doNotWaitActive) => worker.pause(doNotWaitActive),
        // Without force it would say goodbye to Redis, and wait for it if it is away.
        close: async (force = false) => worker.close(force || !(await answers(waiting))),
      };
    },
    close: async () => {
      await queue.close();
      ringing.disconnect();
      waiting.disconnect();
    },
  };
}

/** Whether Redis answers now. The connection's own status may be older than the break. */
function answers(redis: Redis): Promise<boolean> {
  const answered = redis.ping().then(
    () => true,
    () => false,
  );
  return Promise.race([answered, sleep(answerMs, false)]);
}

async function connect(redis: Redis, url: string): Promise<void> {
  const tooLate = AbortSignal.timeout(connectMs);
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  tooLate.addEventListener("abort", () => reject(new Error("no answer")), { once: true });
  try {
    await Promise.race([redis.connect(), gaveUp]);
  } catch (error) {
    redis.disconnect();
    throw new SluiceError("queue_unreachable", `Redis at ${new URL(url).host} does not answer: ${messageOf(error)}.`, {
      hint: "Check SLUICE_REDIS_URL.",
      cause: error,
    });
  }
}
