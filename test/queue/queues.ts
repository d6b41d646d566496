/** The queues that every promise is tested on, each with its control store. */
import { setTimeout as sleep } from "node:timers/promises";
import { openQueue, type Queue } from "../../src/queue/queue.ts";
import type { Store } from "../../src/store/open.ts";
import { hasRedis, startRedis } from "../redis.ts";
import { newSync, resolved, startStore } from "../store/stores.ts";

export const kindsOfQueue = ["embedded", "Postgres", ...(hasRedis() ? (["Redis"] as const) : [])] as const;

export interface TestQueue {
  readonly store: Store;
  readonly redisUrl: string | undefined;
  /** A queue on the same jobs, as another process would have it. */
  open(): Promise<Queue>;
  /** What went wrong behind the scenes. */
  readonly errors: unknown[];
  stop(): Promise<void>;
}

/** Starts a control store and what its queue needs. */
export async function startQueue(kind: (typeof kindsOfQueue)[number]): Promise<TestQueue> {
  const started = await startStore(kind === "Redis" ? "Postgres" : kind);
  const redis = kind === "Redis" ? await startRedis() : undefined;
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  return {
    store: started.store,
    redisUrl: redis?.url,
    open: () => openQueue({ redisUrl: redis?.url, store: started.store, onError }),
    errors,
    stop: async () => {
      await started.stop();
      await redis?.stop();
    },
  };
}

/** Asks for a run of a sync of its own. */
export async function newRun(store: Store): Promise<string> {
  const sync = newSync();
  return (await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) })).id;
}

/** Claims a run and ends it. What a worker does, without the sending. */
export async function doRun(store: Store, runId: string): Promise<boolean> {
  const claim = await store.leases.claim(runId, { worker: "test", leaseMs: 60_000 });
  if (!claim) return false;
  const { counts } = await store.runs.get(runId);
  await store.runStore.end(claim.identity, { status: "succeeded", counts, failure: null }, { keepJournal: false });
  return true;
}

/** Resolves when it has become true. */
export async function until(isTrue: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  for (const deadline = Date.now() + ms; !(await isTrue()); await sleep(10)) {
    if (Date.now() > deadline) throw new Error("it did not become true in time");
  }
}
