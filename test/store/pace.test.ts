import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pace, Pacer, restsOf, windowsOf } from "../../src/connection/pace.ts";
import { DestinationError, type Quota } from "../../src/destination.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import type { Clock } from "../../src/sync/ports.ts";
import { kindsOfStore, startStore, type TestStore } from "./stores.ts";

const clock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
};

const codeOf = (error: unknown): string => (error instanceof DestinationError ? error.code : String(error));

describe.each(kindsOfStore)("requests counted in the %s store", (kind) => {
  let started: TestStore;
  /** As other processes have it; of an embedded store there is one. */
  const others: Store[] = [];
  beforeAll(async () => {
    started = await startStore(kind);
    const { databaseUrl, dataDir } = started;
    if (databaseUrl === undefined) return;
    for (let n = 0; n < 3; n += 1) others.push(await openStore({ databaseUrl, dataDir }));
  });
  afterAll(async () => {
    await Promise.all(others.map((store) => store.close()));
    await started?.stop();
  });

  test("never are more in any span than the limit, however many processes send, and it is used", async () => {
    const limits = [
      { name: "short", requests: 12, perMs: 300 },
      { name: "long", requests: 30, perMs: 1000 },
    ];
    const sent: number[] = [];
    const send = (): Promise<Response> => {
      sent.push(performance.now());
      return Promise.resolve(new Response());
    };
    const pacers = [started.store, ...others].map(
      ({ pace: ledger }) => new Pacer(ledger, `all-${kind}`, windowsOf(limits, 1), clock),
    );
    const began = performance.now();
    await Promise.all(Array.from({ length: 90 }, (_, n) => pace(send, pacers[n % pacers.length]!)("http://crm/")));
    for (const { requests, perMs } of limits) {
      const most = Math.max(...sent.map((from) => sent.filter((at) => at >= from && at < from + perMs).length));
      expect(most).toBeLessThanOrEqual(requests);
    }
    // 30 in each of three spans, a span counted a tenth longer than it is; a busy machine takes its time.
    expect(performance.now() - began).toBeLessThan(2200 * 5);
  });

  test("a share is a part of what all use together; another credential is another matter", async () => {
    const limit = [{ name: "day", requests: 10, perMs: 86_400_000 }];
    const { pace: ledger } = started.store;
    const [all, half] = [windowsOf(limit, 1), windowsOf(limit, 0.5)];
    const enter = (credential: string, windows: typeof all, times: number): Promise<readonly number[]> =>
      Promise.all(Array.from({ length: times }, () => ledger.enter(credential, windows)));
    expect(await enter("one", half, 5)).toEqual([0, 0, 0, 0, 0]);
    expect((await ledger.enter("one", half)) > 86_000_000).toBe(true);
    expect(await enter("one", all, 5)).toEqual([0, 0, 0, 0, 0]);
    expect((await ledger.enter("one", all)) > 86_000_000).toBe(true);
    expect(await ledger.enter("two", all)).toBe(0);
  });

  test("what a vendor says is left is kept to by every process, and the share of others is left to them", async () => {
    const told: Quota[] = [{ name: "day", limit: 1000, remaining: 203, resetsInMs: 86_400_000 }];
    let sent = 0;
    const send = (): Promise<Response> => Promise.resolve(new Response()).finally(() => (sent += 1));
    const windows = windowsOf([{ name: "second", requests: 1000, perMs: 1000 }], 0.8);
    const paced = [started.store, ...others, started.store].map(({ pace: ledger }) =>
      pace(send, new Pacer(ledger, `told-${kind}`, windows, clock), () => restsOf(told.splice(0), 0.8)),
    );
    const ask = (n: number): Promise<unknown> => (paced[n % paced.length] ?? send)("http://crm/").catch(codeOf);
    expect(await ask(0)).toBeInstanceOf(Response);
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => ask(n)));
    expect(answers.filter((answer) => answer === "limit_used_up")).toHaveLength(5);
    expect(sent).toBe(4);
    // It was more after all: the first who hears it tells the others.
    told.push({ name: "day", limit: 1000, remaining: 1000, resetsInMs: 86_400_000 });
    await started.store.pool.query("update app.quotas set until = now() where credential = $1", [`told-${kind}`]);
    expect(await Promise.all([ask(0), ask(1), ask(2)])).toHaveLength(3);
    expect(sent).toBe(7);
  });

  test("when a vendor asks one to wait, nobody asks before, in any process", async () => {
    const times: number[] = [];
    let refusals = 1;
    const send = async (): Promise<Response> => {
      times.push(performance.now());
      if ((refusals -= 1) < 0) return new Response();
      throw new DestinationError("busy", "wait", { code: "429", applied: "no", status: 429, retryAfterMs: 700 });
    };
    const windows = windowsOf([{ name: "second", requests: 1000, perMs: 1000 }], 1);
    const paced = [started.store, ...others].map(({ pace: ledger }) =>
      pace(send, new Pacer(ledger, `waits-${kind}`, windows, clock)),
    );
    await expect((paced[0] ?? send)("http://crm/")).rejects.toMatchObject({ kind: "busy" });
    const refusedAt = performance.now();
    await Promise.all(Array.from({ length: 8 }, (_, n) => (paced[n % paced.length] ?? send)("http://crm/")));
    expect(times).toHaveLength(9);
    for (const at of times.slice(1)) expect(at - refusedAt).toBeGreaterThan(650);
  });

  test("what is kept of a limit stays small, however large it is", async () => {
    const windows = windowsOf([{ name: "day", requests: 1_000_000, perMs: 86_400_000 }], 1);
    for (let n = 0; n < 200; n += 1) await started.store.pace.enter("large", windows);
    const { rows } = await started.store.pool.query<{ rows: number; sum: number }>(
      "select count(*)::int as rows, sum(requests)::int as sum from app.pace where credential = 'large'",
      [],
    );
    expect(rows[0]?.sum).toBe(200);
    expect(rows[0]?.rows).toBeLessThan(3);
  });
});
