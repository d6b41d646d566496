import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { reconcile } from "../../src/queue/reconciler.ts";
import { startDue } from "../../src/queue/schedules.ts";
import { ConflictError } from "../../src/errors.ts";
import type { Store } from "../../src/store/open.ts";
import { kindsOfStore, resolved, startStore, type TestStore } from "../store/stores.ts";

describe.each(kindsOfStore)("schedules in the %s store", (kind) => {
  let started: TestStore;
  let store: Store;

  beforeAll(async () => {
    started = await startStore(kind);
    ({ store } = started);
  });
  afterAll(() => started.stop());
  beforeEach(() => store.documents.replace([], { prune: true }));

  const schedule = (name: string, written: Record<string, string> | undefined): Promise<unknown> =>
    store.documents.put({ kind: "sync", name, body: { kind: "sync", name, ...(written && { schedule: written }) } });

  /** The syncs that are started now. */
  async function startedNow(): Promise<string[]> {
    const syncs: string[] = [];
    await startDue(store, (sync) => Promise.resolve(syncs.push(sync)), rethrow);
    return syncs;
  }

  test("a new one that runs every so often starts at once, then when it is due", async () => {
    await schedule("often", { every: "1s" });
    await schedule("seldom", { every: "1h" });
    await schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin" });
    await schedule("by-hand", undefined);
    expect(await startedNow()).toEqual(["often", "seldom"]);
    expect(await startedNow()).toEqual([]);
    await sleep(1050);
    expect(await startedNow()).toEqual(["often"]);
    const { nextAt, now } = (await store.schedules.list()).find(({ sync }) => sync === "nightly") ?? {};
    expect(nextAt && now && nextAt > now).toBe(true);
  });

  test("one that is changed is reckoned anew, one that is removed is forgotten", async () => {
    await schedule("changing", { every: "1h" });
    expect(await startedNow()).toEqual(["changing"]);
    await schedule("changing", { cron: "0 3 * * *" });
    expect((await store.schedules.list())[0]?.nextAt).toBeNull();
    expect(await startedNow()).toEqual([]);
    await schedule("changing", undefined);
    expect(await startedNow()).toEqual([]);
    await schedule("changing", { every: "1h" });
    expect(await startedNow()).toEqual(["changing"]);
  });

  test("times that pass while a sync is paused are not made up for", async () => {
    await schedule("resting", { every: "1s" });
    expect(await startedNow()).toEqual(["resting"]);
    await store.pauses.pause("resting", "test");
    await sleep(1050);
    expect(await startedNow()).toEqual([]);
    await store.pauses.resume("resting");
    expect(await startedNow()).toEqual([]);
    await sleep(1050);
    expect(await startedNow()).toEqual(["resting"]);
  });

  test("with a jitter a run begins later, by no more than that", async () => {
    await schedule("spread", { every: "10s", jitter: "1s" });
    await startedNow();
    await sleep(1050);
    await startedNow();
    const { nextAt, now } = (await store.schedules.list()).find(({ sync }) => sync === "spread") ?? {};
    expect(nextAt && now && nextAt.getTime() - now.getTime()).toBeLessThan(9000);
    expect(await startedNow()).toEqual([]);
  });

  test("of many processes that look at once, one starts what is due", async () => {
    await schedule("shared", { every: "1h" });
    const syncs = await Promise.all(Array.from({ length: 6 }, startedNow));
    expect(syncs.flat()).toEqual(["shared"]);
  });

  test("what could not be stored is tried again; what the documents forbid has had its turn", async () => {
    await schedule("broken", { every: "1h" });
    const errors: unknown[] = [];
    const tell = (error: unknown): void => void errors.push(error);
    await startDue(store, () => Promise.reject(new Error("connection lost")), tell);
    const dueAt = (await store.schedules.list())[0]?.nextAt;
    expect(dueAt && dueAt <= new Date()).toBe(true);
    await store.pool.query("update app.schedules set taken_until = now()");
    await startDue(store, () => Promise.reject(new ConflictError("run_held", "held")), tell);
    expect(errors).toMatchObject([{ message: "connection lost" }, { code: "run_held" }]);
    expect(await startedNow()).toEqual([]);
  });

  test("the reconciler starts what is due, and rings for it in the same round", async () => {
    await schedule("due", { every: "1h" });
    const rung: string[] = [];
    const runs: string[] = [];
    await reconcile({
      store,
      queue: { ring: (id) => Promise.resolve(void rung.push(id)) },
      startRun: async (sync) => {
        const run = await store.runs.create({ sync, kind: "changes", trigger: "schedule", spec: resolved(sync) });
        runs.push(run.id);
      },
      startSequels: () => Promise.resolve(),
      onError: rethrow,
    });
    expect(runs).toHaveLength(1);
    expect(rung).toEqual(runs);
  });
});

function rethrow(error: unknown): never {
  throw error;
}
