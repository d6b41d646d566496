import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/open.ts";
import type { Claim } from "../../src/store/leases.ts";
import type { Run } from "../../src/store/run.ts";
import { FencedError, type JournalEntry, type RunIdentity } from "../../src/sync/ports.ts";
import type { OutcomeRow } from "../../src/warehouse.ts";
import { counts, kindsOfStore, newSync, resolved, startStore, type TestStore } from "./stores.ts";

describe.each(kindsOfStore)("runs in the %s store", (kind) => {
  let started: TestStore;
  let store: Store;

  beforeAll(async () => {
    started = await startStore(kind);
    ({ store } = started);
  });
  afterAll(() => started.stop());

  const ask = (sync: string, runKind: "changes" | "full" = "changes"): Promise<Run> =>
    store.runs.create({ sync, kind: runKind, trigger: "api", spec: resolved(sync) });

  const mustClaim = async (runId: string, leaseMs = 60_000): Promise<Claim> => {
    const claim = await store.leases.claim(runId, { worker: "one", leaseMs });
    if (!claim) throw new Error(`run ${runId} could not be claimed`);
    return claim;
  };

  const begin = async (sync: string, leaseMs?: number): Promise<RunIdentity> =>
    (await mustClaim((await ask(sync)).id, leaseMs)).identity;

  const end = (run: RunIdentity): Promise<void> =>
    store.runStore.end(run, { status: "partial", counts, failure: null }, { keepJournal: false });

  test("asks that come before a run begins are one run, and a full one wins", async () => {
    const sync = newSync();
    const first = await ask(sync);
    const second = await ask(sync, "full");
    const third = await ask(sync);
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    expect(third).toMatchObject({ status: "queued", kind: "full", trigger: "api", fence: 0, startedAt: null });
  });

  test("a run that fails for the destination's trouble is tried again, each time in a row after twice as long", async () => {
    const sync = newSync();
    const waits: number[] = [];
    const fail = async (afterMs: number): Promise<void> => {
      const run = await begin(sync);
      const again_at = new Date(Date.now() + afterMs).toISOString();
      const failure = { code: "http_429", message: "later", again_at };
      await store.runStore.end(run, { status: "failed", counts, failure }, { keepJournal: false });
      const { failure: kept, endedAt } = await store.runs.get(run.id);
      waits.push(Math.round((Date.parse(kept?.again_at ?? "") - (endedAt?.getTime() ?? 0)) / 1000));
    };
    for (let times = 0; times < 6; times += 1) await fail(60_000);
    // One that the destination names is kept to as it is.
    await fail(5_000_000);
    await end(await begin(sync));
    await fail(60_000);
    for (const [at, wanted] of [60, 120, 240, 480, 900, 900, 5000, 60].entries())
      expect(Math.abs((waits[at] ?? 0) - wanted), waits.join(", ")).toBeLessThanOrEqual(wanted / 5);
  });

  const name = (sync: string, ...keys: readonly string[]): Promise<Run> =>
    store.runs.create({ sync, kind: "keys", trigger: "api", spec: resolved(sync), keys: keys.map((key) => [key]) });

  test("rows that are named before a run begins are all in it, each once, whatever kind it becomes", async () => {
    const sync = newSync();
    const first = await name(sync, "a", "b");
    expect(first.kind).toBe("keys");
    const others = await Promise.all(Array.from({ length: 10 }, (_, n) => name(sync, "a", `k${n}`)));
    expect(new Set(others.map(({ id }) => id))).toEqual(new Set([first.id]));
    expect((await ask(sync)).kind).toBe("changes");
    const claim = await mustClaim(first.id);
    expect(claim.kind).toBe("changes");
    expect(claim.keys).toHaveLength(12);
    const next = await name(sync, "late");
    expect(next.id).not.toBe(first.id);
    await end(claim.identity);
    expect(await mustClaim(next.id)).toMatchObject({ kind: "keys", keys: [["late"]] });
  });

  test("whoever asks once more gets a run at once; who asks a hundred times, two", async () => {
    const sync = newSync();
    const first = await mustClaim((await ask(sync)).id);
    await end(first.identity);
    const second = await mustClaim((await ask(sync)).id);
    await end(second.identity);
    const asked = await Promise.all(Array.from({ length: 100 }, () => ask(sync)));
    const [waiting = "", ...others] = new Set(asked.map(({ id }) => id));
    expect(others).toEqual([]);
    expect(await store.leases.claim(waiting, { worker: "one", leaseMs: 1000 })).toBeNull();
    expect((await store.runs.queued()).map(({ id }) => id)).not.toContain(waiting);
  });

  test("a revert is a run by itself, and knows which run it undoes", async () => {
    const sync = newSync();
    const bad = await mustClaim((await ask(sync)).id);
    await end(bad.identity);
    const { id: reverts } = bad.identity;
    const request = { sync, kind: "revert", trigger: "test", spec: await store.runs.specOf(reverts), reverts } as const;
    const revert = await store.runs.create(request);
    await expect(ask(sync)).rejects.toMatchObject({ code: "run_waiting" });
    await expect(store.runs.create(request)).rejects.toMatchObject({ code: "run_waiting" });
    // Also while the sync is paused.
    await store.pauses.pause(sync, "test");
    expect(await mustClaim(revert.id)).toMatchObject({ kind: "revert", reverts });
  });

  test("more rows than fit one statement are a full run, whether they are named at once or one after another", async () => {
    const sync = newSync();
    const many = Array.from({ length: 9999 }, (_, n) => `k${n}`);
    const run = await name(sync, ...many);
    expect(run.kind).toBe("keys");
    expect((await name(sync, "k1", "k9999")).kind).toBe("keys");
    expect((await name(sync, "k10000")).kind).toBe("full");
    expect(await mustClaim(run.id)).toMatchObject({ kind: "full", keys: [] });
    expect((await name(newSync(), ...many.map((key) => key.padEnd(60, "x")))).kind).toBe("full");
  });

  test("rows named for a run that lost its worker are sent by the run that settles it", async () => {
    const sync = newSync();
    const lost = await mustClaim((await name(sync, "a", "b")).id, 1);
    const next = await name(sync, "b", "c");
    await sleep(20);
    expect(await mustClaim(next.id)).toMatchObject({ stage: "new", kind: "keys", keys: [["a"], ["b"], ["c"]] });
    expect(lost.keys).toEqual([["a"], ["b"]]);
  });

  test("asks that come while one is under way are one more run, which begins after it", async () => {
    const sync = newSync();
    const run = await begin(sync);
    const [next, same] = await Promise.all([ask(sync), ask(sync)]);
    expect(next.id).not.toBe(run.id);
    expect(same.id).toBe(next.id);
    expect((await store.runs.queued()).map(({ id }) => id)).not.toContain(next.id);
    expect(await store.leases.claim(next.id, { worker: "two", leaseMs: 60_000 })).toBeNull();
    await end(run);
    expect((await store.runs.queued()).map(({ id }) => id)).toContain(next.id);
    expect((await mustClaim(next.id)).identity.fence).toBe(2);
  });

  test("of many workers that claim a run at once, one gets it, with the documents as they were", async () => {
    const sync = newSync();
    const { id } = await ask(sync);
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, n) => store.leases.claim(id, { worker: `worker ${n}`, leaseMs: 60_000 })),
    );
    const won = claims.filter((claim) => claim !== null);
    expect(won).toHaveLength(1);
    expect(won[0]).toEqual({
      identity: { id, sync, fence: 1 },
      kind: "changes",
      keys: [],
      stage: "new",
      spec: resolved(sync),
      reverts: null,
    });
    // The order of the fields is part of what was written.
    expect(JSON.stringify(won[0]?.spec)).toBe(JSON.stringify(resolved(sync)));
    expect(await store.runs.get(id)).toMatchObject({ status: "planning", fence: 1, startedAt: expect.any(Date) });
  });

  test("a worker whose lease ran out and was taken over writes nothing more", async () => {
    const sync = newSync();
    const zombie = await begin(sync, 1);
    await store.runStore.append(zombie, { sending: [[1, 2]], outcomes: [], rejections: [] });
    await sleep(20);
    const successor = await mustClaim(zombie.id);
    expect(successor).toMatchObject({ stage: "lost", identity: { fence: 2 } });

    const writes = [
      () => store.runStore.renew(zombie),
      () => store.runStore.progress(zombie, { status: "sending", counts }),
      () => store.runStore.hold(zombie, { reasons: [] }, { status: "held", counts }),
      () => store.runStore.append(zombie, { sending: [[3, 3]], outcomes: [], rejections: [] }),
      () => end(zombie),
      () => store.runStore.endLost(zombie.id, zombie, { status: "failed", counts, failure: null }),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow(FencedError);
    expect(await store.runs.get(zombie.id)).toMatchObject({ status: "planning", counts: { accepted: 0 } });
    expect((await entriesOf(zombie.id)).flatMap(({ sending }) => sending)).toEqual([[1, 2]]);
  });

  test("appends that race with a takeover are in the journal before it, or fenced", async () => {
    const zombie = await begin(newSync(), 1);
    await sleep(20);
    const appends = Array.from({ length: 30 }, async (_, n) => {
      if (n === 15) await mustClaim(zombie.id);
      await store.runStore.append(zombie, { sending: [[n, n]], outcomes: [], rejections: [] });
      return n;
    });
    const settled = await Promise.allSettled(appends);
    const written = settled.flatMap((one) => (one.status === "fulfilled" ? [[one.value, one.value]] : []));
    const refused = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((error) => error instanceof FencedError)).toBe(true);
    expect((await entriesOf(zombie.id)).flatMap(({ sending }) => sending).length).toBe(written.length);
  });

  test("writes of a run that come at once take turns, up to its end", async () => {
    for (let n = 0; n < 10; n += 1) {
      const run = await begin(newSync());
      const writes = await Promise.allSettled([
        store.runStore.append(run, { sending: [[1, 1]], outcomes: [], rejections: [] }),
        store.runStore.progress(run, { status: "sending", counts }),
        store.runStore.renew(run),
        end(run),
        store.runStore.progress(run, { status: "sending", counts }),
        store.runStore.renew(run),
      ]);
      const errors = writes.flatMap((write) => (write.status === "rejected" ? [write.reason] : []));
      expect(errors.filter((error) => !(error instanceof FencedError))).toEqual([]);
      expect(await store.runs.get(run.id)).toMatchObject({ status: "partial", endedAt: expect.any(Date) });
    }
  });

  test("a lease that is renewed in time does not run out", async () => {
    const run = await begin(newSync(), 400);
    for (let n = 0; n < 6; n += 1) {
      await sleep(100);
      expect(await store.runStore.renew(run)).toEqual({ cancelRequested: false });
    }
    expect((await store.runs.orphaned()).map(({ id }) => id)).not.toContain(run.id);
    expect(await store.leases.claim(run.id, { worker: "two", leaseMs: 1000 })).toBeNull();
  });

  test("a run whose lease ran out, or was abandoned, counts as orphaned", async () => {
    const expired = await begin(newSync(), 1);
    const abandoned = await begin(newSync());
    await store.leases.abandon(abandoned);
    await sleep(20);
    const orphaned = (await store.runs.orphaned()).map(({ id }) => id);
    expect(orphaned).toEqual(expect.arrayContaining([expired.id, abandoned.id]));
    expect(await mustClaim(abandoned.id)).toMatchObject({ stage: "lost", identity: { fence: 2 } });
  });

  test("a journal of 100,000 outcomes comes back whole and in order, and is small", async () => {
    const run = await begin(newSync());
    const outcomes = Array.from({ length: 100_000 }, (_, n): OutcomeRow => ({
      seq: n + 1,
      kind: "accepted",
      recordHash: `hash of ${n % 97}`,
      destinationId: String(n),
    }));
    for (let from = 0; from < outcomes.length; from += 2000) {
      const part = outcomes.slice(from, from + 2000);
      await store.runStore.append(run, { sending: [[from + 1, from + 2000]], outcomes: part, rejections: [] });
    }
    const entries = await entriesOf(run.id);
    expect(entries).toHaveLength(50);
    expect(entries.flatMap((entry) => entry.outcomes)).toEqual(outcomes);
    const size = await store.pool.query<{ bytes: number }>(
      "select sum(length(body))::int as bytes from app.journal where run_id = $1",
      [run.id],
    );
    expect(size.rows[0]?.bytes).toBeLessThan(2_000_000);
    await end(run);
    expect(await entriesOf(run.id)).toEqual([]);
  });

  test("rejections are listed page by page and counted by cause, whatever characters a vendor sends", async () => {
    const run = await begin(newSync());
    const rejections = Array.from({ length: 5 }, (_, n) => ({
      seq: n + 1,
      rowKey: `row ${n}`,
      kind: "rejected" as const,
      code: n < 3 ? "bad_email" : "too_long",
      message: "refused: \0 and \ud800",
      ...(n < 3 ? { field: "email" } : {}),
    }));
    await store.runStore.append(run, { sending: [[1, 5]], outcomes: [], rejections });
    await store.runStore.append(run, { sending: [], outcomes: [], rejections: rejections.slice(0, 1) });

    const first = await store.rejections.list(run.id, { limit: 3 });
    const second = await store.rejections.list(run.id, { limit: 3, cursor: first.nextCursor ?? undefined });
    expect([first.data.map(({ seq }) => seq), second.data.map(({ seq }) => seq)]).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    expect(second.nextCursor).toBeNull();
    expect(first.data[0]).toEqual({ ...rejections[0], message: "refused: \uFFFD and \uFFFD" });
    expect((await store.rejections.list(run.id, { limit: 9, code: "too_long" })).data).toHaveLength(2);
    expect((await store.rejections.list(run.id, { limit: 9, cursor: "nonsense" })).data).toEqual([]);
    expect(await store.rejections.causes(run.id)).toMatchObject([
      { code: "bad_email", field: "email", count: 3 },
      { code: "too_long", field: null, count: 2 },
    ]);
  });

  test("a held run waits for a person: no new run of the sync begins until it is released and done", async () => {
    const sync = newSync();
    const run = await begin(sync);
    const next = await ask(sync);
    const report = { reasons: [{ code: "removed", message: "too many" }] };
    await store.runStore.hold(run, report, { status: "held", counts });
    expect(await store.runs.get(run.id)).toMatchObject({ status: "held", gate: report, counts, endedAt: null });
    await expect(ask(sync)).rejects.toMatchObject({ code: "run_held" });
    expect(await store.leases.claim(next.id, { worker: "two", leaseMs: 60_000 })).toBeNull();
    expect((await store.runs.active(sync))?.id).toBe(run.id);

    expect(await store.runs.release(run.id)).toMatchObject({ status: "queued", released: true });
    expect((await store.runs.queued()).filter((one) => one.sync === sync).map(({ id }) => id)).toEqual([run.id]);
    expect(await store.leases.claim(next.id, { worker: "two", leaseMs: 60_000 })).toBeNull();
    const goingOn = await mustClaim(run.id);
    expect(goingOn.stage).toBe("released");
    expect(goingOn.identity.fence).toBeGreaterThan(run.fence);
    await end(goingOn.identity);
    expect((await mustClaim(next.id)).stage).toBe("new");
    await expect(store.runs.release(run.id)).rejects.toMatchObject({ code: "run_not_held" });
  });

  test("a cancelled run ends at once while it waits, and is told while it is under way", async () => {
    const sync = newSync();
    const run = await begin(sync);
    const waiting = await ask(sync);
    expect(await store.runs.requestCancel(waiting.id)).toMatchObject({
      status: "cancelled",
      endedAt: expect.any(Date),
    });
    expect(await store.runs.requestCancel(run.id)).toMatchObject({ status: "planning", cancelRequested: true });
    expect(await store.runStore.renew(run)).toEqual({ cancelRequested: true });
    // It reached the gate before it heard of it: there is nothing left to hold.
    await store.runStore.hold(run, { reasons: [] }, { status: "held", counts });
    expect(await store.runs.get(run.id)).toMatchObject({ status: "cancelled" });
    await expect(store.runs.requestCancel(run.id)).rejects.toMatchObject({ code: "run_ended" });
    await expect(store.runs.requestCancel("run_nobody")).rejects.toMatchObject({ code: "run_not_found" });
  });

  test("a lost run is ended by the run that settled it; one that had ended keeps how it ended", async () => {
    const sync = newSync();
    const lost = await begin(sync, 1);
    await store.runStore.append(lost, { sending: [[1, 1]], outcomes: [], rejections: [] });
    const next = await ask(sync);
    await sleep(20);
    const by = (await mustClaim(next.id)).identity;
    const failure = { code: "worker_lost", message: "gone\0" };
    await store.runStore.endLost(lost.id, by, { status: "failed", counts, failure });
    expect(await store.runs.get(lost.id)).toMatchObject({ status: "failed", counts, failure: { code: "worker_lost" } });
    expect(await entriesOf(lost.id)).toEqual([]);
    await store.runStore.endLost(lost.id, by, {
      status: "cancelled",
      counts: { ...counts, accepted: 9 },
      failure: null,
    });
    expect(await store.runs.get(lost.id)).toMatchObject({
      status: "failed",
      counts: { accepted: 9 },
      failure: { code: "worker_lost" },
    });
  });

  test("runs are listed newest first, in pages, and the last of each sync is found", async () => {
    const sync = newSync();
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      const run = await begin(sync);
      ids.unshift(run.id);
      await end(run);
    }
    const first = await store.runs.list({ sync, limit: 3 });
    const second = await store.runs.list({ sync, limit: 3, cursor: first.nextCursor ?? undefined });
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
    expect((await store.runs.list({ sync, status: "failed", limit: 3 })).data).toEqual([]);
    expect((await store.runs.last()).find((run) => run.sync === sync)?.id).toBe(ids[0]);
    expect(await store.runs.active(sync)).toBeNull();
  });

  async function entriesOf(runId: string): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = [];
    for await (const entry of store.runStore.journal(runId)) entries.push(entry);
    return entries;
  }
});
