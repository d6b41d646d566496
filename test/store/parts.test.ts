import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/open.ts";
import { FencedError, type Part, type RunIdentity, type SentCounts } from "../../src/sync/ports.ts";
import { nothingSent } from "../../src/sync/sent.ts";
import type { Column } from "../../src/warehouse.ts";
import { counts, kindsOfStore, newSync, resolved, startStore, type TestStore } from "./stores.ts";

const columns: readonly Column[] = [{ name: "zeta", type: "text", native: "text" }];

const sentOnce: SentCounts = { ...nothingSent, accepted: 3, requests: 1 };

describe.each(kindsOfStore)("the parts of a divided plan in the %s store", (kind) => {
  let started: TestStore;
  let store: Store;

  beforeAll(async () => {
    started = await startStore(kind);
    ({ store } = started);
  });
  afterAll(() => started.stop());

  /** A run that somebody does, with a plan of 30 rows in three parts. */
  async function divided({ sync = newSync(), leaseMs = 60_000 } = {}): Promise<RunIdentity> {
    const { id } = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    const claim = await store.leases.claim(id, { worker: "owner", leaseMs });
    if (!claim) throw new Error(`run ${id} could not be claimed`);
    const stretches = [1, 11, 21].map((from) => [from, from + 9] as const);
    await store.parts.divide(claim.identity, { columns, stretches });
    return claim.identity;
  }

  async function join(run: RunIdentity): Promise<Part> {
    const part = await store.parts.take(run, "joined");
    if (!part) throw new Error("no part waits");
    return part;
  }

  const end = (run: RunIdentity): Promise<void> =>
    store.runStore.end(run, { status: "partial", counts, failure: null }, { keepJournal: false });

  test("go to the run's own worker and to those who join, each to one", async () => {
    const run = await divided();
    const takers = ["owner", "joined", "joined", "joined", "owner"] as const;
    const taken = await Promise.all(takers.map((as) => store.parts.take(run, as)));
    const parts = taken.filter((part) => part !== null);
    expect(parts.map(({ from, to }) => [from, to]).toSorted(([a = 0], [b = 0]) => a - b)).toEqual([
      [1, 10],
      [11, 20],
      [21, 30],
    ]);
    expect(await store.parts.joinable(run.id)).toBeNull();
  });

  test("are told of with all that another worker needs", async () => {
    const run = await divided();
    expect(await store.parts.joinable(run.id)).toEqual({
      identity: run,
      kind: "changes",
      spec: resolved(run.sync),
      columns,
    });
  });

  test("go on after what a lost worker was about to send, and what it sent counts", async () => {
    const run = await divided({ leaseMs: 200 });
    const lost = await join(run);
    await store.parts.append(lost, { sending: [[1, 4]], outcomes: [], rejections: [] });
    await store.parts.renew(lost, sentOnce);
    await sleep(250);
    const { fence: _, ...again } = await join(run);
    expect(again).toMatchObject({ no: lost.no, from: 5, to: 10, before: sentOnce });
    expect(await store.parts.look(run)).toMatchObject({ retaken: true, sent: sentOnce });
  });

  test("are no longer those of a worker that was taken for lost: it journals nothing", async () => {
    const run = await divided({ leaseMs: 200 });
    const lost = await join(run);
    await sleep(250);
    await join(run);
    const entry = { sending: [[1, 4]], outcomes: [], rejections: [] } as const;
    await expect(store.parts.append(lost, entry)).rejects.toThrow(FencedError);
    await expect(store.parts.renew(lost, sentOnce)).rejects.toThrow(FencedError);
    await expect(store.parts.end(lost, sentOnce)).rejects.toThrow(FencedError);
    for await (const written of store.runStore.journal(run.id)) expect(written).toBeUndefined();
  });

  test("are another worker's for no longer than the run is its own worker's", async () => {
    const run = await divided({ leaseMs: 5000 });
    await sleep(300);
    const { forMs } = await join(run);
    expect(forMs).toBeGreaterThan(0);
    expect(forMs).toBeLessThan(4800);
  });

  test("are given back, and taken by somebody else at once", async () => {
    const run = await divided();
    const part = await join(run);
    await store.parts.append(part, { sending: [[1, 2]], outcomes: [{ seq: 1, kind: "accepted" }], rejections: [] });
    await store.parts.giveBack(part, sentOnce);
    expect(await store.parts.take(run, "owner")).toMatchObject({ no: part.no, from: 3, before: sentOnce });
  });

  test("are begun by nobody once the run is stopped, and who sends one is told", async () => {
    const run = await divided();
    const part = await join(run);
    expect(await store.parts.renew(part, nothingSent)).toMatchObject({ stopped: false });
    await store.parts.stop(run);
    expect(await store.parts.take(run, "joined")).toBeNull();
    expect(await store.parts.take(run, "owner")).toBeNull();
    expect(await store.parts.joinable(run.id)).toBeNull();
    expect(await store.parts.renew(part, sentOnce)).toMatchObject({ stopped: true });
    expect(await store.parts.look(run)).toMatchObject({ joined: 1, sent: sentOnce });
    await store.parts.end(part, sentOnce);
    expect(await store.parts.look(run)).toMatchObject({ joined: 0 });
  });

  test.runIf(kind === "Postgres")("are begun by nobody who asked for one just before the run was stopped", async () => {
    const run = await divided();
    const stopping = await store.pool.connect();
    await stopping.query("begin");
    await stopping.query("select from app.leases where sync = $1 for update", [run.sync]);
    await stopping.query("update app.divisions set stopped = true where run_id = $1", [run.id]);
    const taken = store.parts.take(run, "joined");
    await sleep(200);
    await stopping.query("commit");
    stopping.release();
    expect(await taken).toBeNull();
  });

  test("keep rejections as a run does", async () => {
    const run = await divided();
    const part = await join(run);
    const rejection = { seq: 3, rowKey: "A3", kind: "rejected", code: "bad", message: "no" } as const;
    await store.parts.append(part, { sending: [], outcomes: [], rejections: [rejection] });
    const { data } = await store.rejections.list(run.id, { limit: 10 });
    expect(data).toMatchObject([{ seq: 3, rowKey: "A3", code: "bad" }]);
  });

  test.each([
    ["ended", end],
    ["was abandoned", (run: RunIdentity) => store.leases.abandon(run)],
  ])("keep their sync from another run after theirs %s, until those who joined must have left", async (_, leave) => {
    const sync = newSync();
    const run = await divided({ sync, leaseMs: 1500 });
    await join(run);
    const next = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    await leave(run);
    const claimNext = (): Promise<unknown> => store.leases.claim(next.id, { worker: "two", leaseMs: 60_000 });
    expect(await claimNext()).toBeNull();
    expect((await store.runs.queued()).map(({ id }) => id)).not.toContain(next.id);
    await sleep(1600);
    expect(await claimNext()).not.toBeNull();
  });

  test("are forgotten with their run's journal, and then whoever joined can do nothing for it", async () => {
    const run = await divided();
    const part = await join(run);
    await end(run);
    await expect(store.parts.take(run, "joined")).rejects.toThrow(FencedError);
    await expect(store.parts.renew(part, sentOnce)).rejects.toThrow(FencedError);
    await expect(store.parts.append(part, { sending: [[1, 1]], outcomes: [], rejections: [] })).rejects.toThrow(
      FencedError,
    );
    expect(await store.parts.joinable(run.id)).toBeNull();
  });

  test("are nobody's where a run was not divided", async () => {
    const sync = newSync();
    const { id } = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    const claim = await store.leases.claim(id, { worker: "owner", leaseMs: 60_000 });
    if (!claim) throw new Error("not claimed");
    await store.parts.stop(claim.identity);
    expect(await store.parts.look(claim.identity)).toEqual({
      waiting: 0,
      joined: 0,
      retaken: false,
      sent: nothingSent,
    });
    expect(await store.parts.take(claim.identity, "owner")).toBeNull();
  });
});
