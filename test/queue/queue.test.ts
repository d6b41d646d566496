import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openPostgresBackend } from "../../src/queue/backends.ts";
import { openQueue, type Queue } from "../../src/queue/queue.ts";
import { reconcile, startReconciler } from "../../src/queue/reconciler.ts";
import type { Store } from "../../src/store/open.ts";
import { startRedis } from "../redis.ts";
import { startStore } from "../store/stores.ts";
import { doRun, kindsOfQueue, newRun, startQueue, type TestQueue, until } from "./queues.ts";

describe.each(kindsOfQueue)("the queue on %s", (kind) => {
  let started: TestQueue;
  let store: Store;
  const opened: Queue[] = [];

  beforeAll(async () => {
    started = await startQueue(kind);
    ({ store } = started);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((queue) => queue.close(1000)));
  });
  afterAll(() => started.stop());

  async function open(): Promise<Queue> {
    const queue = await started.open();
    opened.push(queue);
    return queue;
  }

  const isEnded = async (runId: string): Promise<boolean> => (await store.runs.get(runId)).endedAt !== null;
  const startRun = (): Promise<void> => Promise.resolve();
  const startSequels = (): Promise<void> => Promise.resolve();
  const onError = (error: unknown): void => void started.errors.push(error);

  test("a run that is rung is done, once, however often it was rung", async () => {
    const queue = await open();
    const runId = await newRun(store);
    await Promise.all(Array.from({ length: 10 }, () => queue.ring(runId)));
    const done: string[] = [];
    queue.work(async (id) => void ((await doRun(store, id)) && done.push(id)), { concurrency: 4 });
    await until(() => isEnded(runId));
    await queue.ring(runId);
    await sleep(100);
    expect(done).toEqual([runId]);
    expect(started.errors).toEqual([]);
  });

  test("a ring wakes a worker that waits in another process", async () => {
    const [worker, producer] = [await open(), await open()];
    worker.work(async (id) => void (await doRun(store, id)), { concurrency: 1 });
    await sleep(200);
    const runId = await newRun(store);
    const rungAt = performance.now();
    await producer.ring(runId);
    await until(() => isEnded(runId));
    expect(performance.now() - rungAt).toBeLessThan(1500);
  });

  test("a run that waited for another of its sync is rung when that one is done", async () => {
    const queue = await open();
    const first = await newRun(store);
    const { sync } = await store.runs.get(first);
    const spec = (await store.leases.claim(first, { worker: "test", leaseMs: 1 }))?.spec;
    if (!spec) throw new Error("the run could not be claimed");
    await sleep(20);
    const second = (await store.runs.create({ sync, kind: "changes", trigger: "api", spec })).id;
    queue.work(async (id) => void (await doRun(store, id)), { concurrency: 1 });
    await queue.ring(first);
    await until(() => isEnded(second));
  });

  test("a worker that fails costs nothing: its error is told, and the next ring is answered", async () => {
    const queue = await open();
    const runId = await newRun(store);
    let calls = 0;
    queue.work(
      async (id) => {
        calls += 1;
        if (calls === 1) throw new Error("worker trouble");
        await doRun(store, id);
      },
      { concurrency: 1 },
    );
    await queue.ring(runId);
    await until(() => started.errors.length > 0);
    expect(started.errors.splice(0)).toMatchObject([{ message: "worker trouble" }]);
    await until(async () => {
      await queue.ring(runId);
      return isEnded(runId);
    });
  });

  test("closing tells those at work, waits for them to settle, and leaves the rest to others", async () => {
    const [stopping, other] = [await open(), await open()];
    const runs = await Promise.all([newRun(store), newRun(store)]);
    const reasons: unknown[] = [];
    let begun = false;
    stopping.work(
      async (id, signal) => {
        // A ring that an earlier test left behind.
        if (!runs.includes(id)) return;
        begun = true;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push(signal.reason);
        await doRun(store, id);
      },
      { concurrency: 1 },
    );
    for (const id of runs) await stopping.ring(id);
    await until(() => begun);
    await stopping.close(5000, "going down");
    expect(reasons).toEqual(["going down"]);
    expect((await Promise.all(runs.map(isEnded))).filter((ended) => ended)).toHaveLength(1);

    other.work(async (id) => void (await doRun(store, id)), { concurrency: 1 });
    await reconcile({ store, queue: other, startRun, startSequels, onError });
    await until(async () => (await Promise.all(runs.map(isEnded))).every((ended) => ended));
  });

  test("closing gives up on a worker that does not settle", async () => {
    const queue = await open();
    const runId = await newRun(store);
    let begun = false;
    queue.work(
      async () => {
        begun = true;
        await new Promise(() => undefined);
      },
      { concurrency: 1 },
    );
    await queue.ring(runId);
    await until(() => begun);
    const closedAt = performance.now();
    await queue.close(100);
    expect(performance.now() - closedAt).toBeLessThan(3000);
    // It was never claimed: nobody else should find it here.
    await store.runs.requestCancel(runId);
  });

  test("runs that nobody rang for, and runs that lost their worker, are found", async () => {
    const queue = await open();
    const forgotten = await newRun(store);
    const lost = await newRun(store);
    await store.leases.claim(lost, { worker: "dead", leaseMs: 1 });
    queue.work(async (id) => void (await doRun(store, id)), { concurrency: 2 });
    const reconciler = startReconciler({ store, queue, startRun, startSequels, onError }, { everyMs: 50 });
    await until(async () => (await isEnded(forgotten)) && (await isEnded(lost)));
    await reconciler.close();
    expect(started.errors).toEqual([]);
  });
});

const hasRedis = kindsOfQueue.some((kind) => kind === "Redis");

describe.runIf(hasRedis)("Redis is a doorbell", () => {
  let started: TestQueue;
  let redis: Redis;

  beforeAll(async () => {
    started = await startQueue("Redis");
    redis = new Redis(started.redisUrl ?? "");
  });
  afterAll(async () => {
    redis.disconnect();
    await started.stop();
  });

  test("losing all that it holds, again and again, loses no run", async () => {
    const { store } = started;
    const queue = await started.open();
    const runs = await Promise.all(Array.from({ length: 30 }, () => newRun(store)));
    queue.work(
      async (id) => {
        await sleep(20);
        await doRun(store, id);
      },
      { concurrency: 2 },
    );
    const onError = (): void => undefined;
    const nothing = (): Promise<void> => Promise.resolve();
    const work = { store, queue, startRun: nothing, startSequels: nothing, onError };
    const reconciler = startReconciler(work, { everyMs: 100 });
    for (const id of runs) await queue.ring(id);
    for (let n = 0; n < 8; n += 1) {
      await redis.flushdb();
      await sleep(50);
    }
    await until(async () => (await Promise.all(runs.map((id) => store.runs.get(id)))).every((run) => run.endedAt));
    await reconciler.close();
    await queue.close(1000);
    started.errors.length = 0;
  });

  test("it holds ids and nothing else", async () => {
    const { store } = started;
    const queue = await started.open();
    const runId = await newRun(store);
    await queue.ring(runId);
    const held = await contentsOf(redis);
    expect(held).toContain(runId);
    for (const secret of ["accounts", "companies", "zeta", "duckdb", (await store.runs.get(runId)).sync]) {
      expect(held).not.toContain(secret);
    }
    expect((await redis.keys("*")).filter((key) => !key.startsWith("sluice:"))).toEqual([]);
    await queue.close(1000);
  });

  test("one that does not answer at the start is named, without its password", async () => {
    const { store } = started;
    const opening = openQueue({ redisUrl: "redis://:hunter2@127.0.0.1:1", store, onError: () => undefined });
    const error: unknown = await opening.catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "queue_unreachable" });
    expect(String(error)).not.toContain("hunter2");
  });
});

// A server that was given to the tests is not theirs to end.
const canEndRedis = hasRedis && process.env["SLUICE_TEST_REDIS_URL"] === undefined;

describe.runIf(canEndRedis)("a Redis that goes away", () => {
  test("is told and waited for by nobody: rings return at once, and so does closing", async () => {
    const redis = await startRedis();
    const started = await startStore("embedded");
    const { store } = started;
    const errors: unknown[] = [];
    const queue = await openQueue({ redisUrl: redis.url, store, onError: (error) => errors.push(error) });
    queue.work(async (id) => void (await doRun(store, id)), { concurrency: 1 });
    const [before, after] = [await newRun(store), await newRun(store)];
    await queue.ring(before);
    await until(async () => (await store.runs.get(before)).endedAt !== null);

    await redis.stop();
    const stoppedAt = performance.now();
    await queue.ring(after);
    expect(errors.length).toBeGreaterThan(0);
    expect(await store.runs.get(after)).toMatchObject({ status: "queued" });
    await queue.close(500);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    await started.stop();
  });
});

describe("the embedded queue", () => {
  test("leaves the process free to do other things while it does 500 jobs", async () => {
    const started = await startStore("embedded");
    const { store } = started;
    const backend = await openPostgresBackend(store.pool);
    let done = 0;
    // Between two ticks of a timer: however slow the machine is, something else comes to its turn.
    let most = 0;
    let before = 0;
    const timer = setInterval(() => {
      most = Math.max(most, done - before);
      before = done;
    }, 5);
    const worker = backend.startWorker(() => Promise.resolve(void (done += 1)), { concurrency: 20 });
    await Promise.all(
      Array.from({ length: 500 }, (_, n) => backend.queue.add("run", { run: String(n) }, { jobId: `job-${n}` })),
    );
    await until(() => done === 500, 60_000);
    clearInterval(timer);
    expect(before).toBeGreaterThan(0);
    expect(most).toBeLessThan(100);
    await worker.close();
    await backend.close();
    await started.stop();
  });
});

/** Every key with its value, as text. */
async function contentsOf(redis: Redis): Promise<string> {
  const parts: unknown[] = [];
  for (const key of await redis.keys("*")) {
    const type = await redis.type(key);
    if (type === "hash") parts.push(key, await redis.hgetall(key));
    else if (type === "list") parts.push(key, await redis.lrange(key, 0, -1));
    else if (type === "zset") parts.push(key, await redis.zrange(key, 0, "-1"));
    else if (type === "set") parts.push(key, await redis.smembers(key));
    else if (type === "stream") parts.push(key, await redis.xrange(key, "-", "+"));
    else parts.push(key, await redis.get(key));
  }
  return JSON.stringify(parts);
}
