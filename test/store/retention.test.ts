import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/store/open.ts";
import { FencedError } from "../../src/sync/ports.ts";
import { counts, kindsOfStore, newSync, resolved, startStore, type TestStore } from "./stores.ts";

describe.each(kindsOfStore)("the past in the %s store", (kind) => {
  let started: TestStore;
  let store: Store;
  beforeAll(async () => {
    started = await startStore(kind);
    ({ store } = started);
  });
  afterAll(() => started.stop());

  const sql = async (text: string, ...values: readonly unknown[]): Promise<readonly Record<string, unknown>[]> =>
    (await store.pool.query<Record<string, unknown>>(text, values)).rows;

  /** A run that ended so many days ago, with one rejection; its plan is settled, or not. */
  async function ran(sync: string, daysAgo: number, keepJournal = false): Promise<string> {
    const { id } = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    const claim = await store.leases.claim(id, { worker: "one", leaseMs: 60_000 });
    if (!claim) throw new FencedError(id);
    const refused = { seq: 1, rowKey: "a", kind: "rejected", code: "bad", message: "bad" } as const;
    await store.runStore.append(claim.identity, { sending: [[1, 1]], outcomes: [], rejections: [refused] });
    await store.runStore.end(claim.identity, { status: "failed", counts, failure: null }, { keepJournal });
    await sql(
      "update app.runs set started_at = now() - $2 * interval '1 day', ended_at = now() - $2 * interval '1 day' where id = $1",
      id,
      daysAgo,
    );
    await sql("update app.rejections set at = now() - $2 * interval '1 day' where run_id = $1", id, daysAgo);
    return id;
  }

  const runsOf = async (sync: string): Promise<readonly unknown[]> =>
    (await sql("select id from app.runs where sync = $1 order by id", sync)).map(({ id }) => id);
  const rejectedIn = async (sync: string): Promise<readonly unknown[]> =>
    (await sql("select run_id from app.rejections where sync = $1 order by run_id", sync)).map(({ run_id }) => run_id);

  test("is forgotten after its time, except for the last of each sync and what is not settled", async () => {
    const [busy, quiet] = [newSync(), newSync()];
    const unsettled = await ran(busy, 500, true);
    const old: string[] = [];
    for (let n = 0; n < 10; n += 1) old.push(await ran(busy, 100));
    const recent: string[] = [];
    for (let n = 0; n < 20; n += 1) recent.push(await ran(busy, 20));
    const alone = await ran(quiet, 400);
    await store.retention.prune(90);
    expect(await runsOf(busy)).toEqual([unsettled, ...recent]);
    expect(await rejectedIn(busy)).toEqual(recent);
    // A sync that has not run for long still tells how it went, and why.
    expect(await runsOf(quiet)).toEqual([alone]);
    expect(await rejectedIn(quiet)).toEqual([alone]);
  });

  test("is forgotten piece by piece, however much it is", async () => {
    const sync = newSync();
    const last = await ran(sync, 1);
    await sql(
      `insert into app.runs (id, sync, kind, trigger, status, counts, spec, ended_at)
      select 'run_0' || lpad(n::text, 6, '0'), $1, 'changes', 'api', 'succeeded', '{}', '{}', now() - interval '100 days'
      from generate_series(1, 3500) n`,
      sync,
    );
    await store.retention.prune(90);
    const left = await runsOf(sync);
    expect(left).toHaveLength(20);
    expect(left.at(-1)).toBe(last);
  });
});
