import fc from "fast-check";
import { expect, test } from "vitest";
import { pace, type PaceLedger, Pacer, windowsOf } from "../src/connection/pace.ts";
import { retry } from "../src/connection/retry.ts";
import { type Exchange, traceFetch } from "../src/connection/trace.ts";
import { type Batch, type Connection, DestinationError, type Operation, type RateLimit } from "../src/destination.ts";
import type { Clock } from "../src/sync/ports.ts";
import { memoryPacer } from "./memory-ledger.ts";

/** Time that passes only while somebody sleeps, and notes how long. */
class VirtualClock implements Clock {
  readonly slept: number[] = [];
  #ms = 0;

  now(): Date {
    return new Date(this.#ms);
  }

  pass(ms: number): void {
    this.#ms += ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    // Whatever can go on without time passing does so first.
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.#ms += ms;
  }
}

/** Time that stands still: who sleeps wakes only when told to stop. */
const frozen: Clock = {
  now: () => new Date(0),
  sleep: (_ms, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error))),
};

const busy = (retryAfterMs?: number): DestinationError =>
  new DestinationError("busy", "later", { code: "http_429", applied: "no", status: 429, retryAfterMs });
const unavailable = (applied: "no" | "unknown"): DestinationError =>
  new DestinationError("unavailable", "broken", { code: "http_500", applied, status: 500 });
const refused = new DestinationError("refused", "wrong", { code: "wrong", applied: "no" });
const unauthorized = new DestinationError("unauthorized", "who?", { code: "http_401", applied: "no" });

const batch = (operation: Operation): Batch => ({
  object: "contacts",
  settings: {},
  operation,
  fields: [],
  match: ["email"],
  changes: [],
  id: "batch",
});

/** A connection whose first tries fail as listed; `tries` counts all. */
function failing(failures: readonly unknown[]): { connection: Connection; tries: () => number } {
  let tries = 0;
  const act = async <Result>(result: Result): Promise<Result> => {
    const failure = failures[tries];
    tries += 1;
    if (failure !== undefined) throw failure;
    return result;
  };
  const connection: Connection = {
    check: () => act({ account: "account" }),
    objects: () => act([]),
    describe: () =>
      act({ name: "", title: "", modes: [], removals: [], batch: { records: 1 }, idempotent, fields: [] }),
    write: () => act([]),
  };
  return { connection, tries: () => tries };
}
const idempotent = { upsert: true, update: true, insert: false, mirror: true, append: false };

test("every operation of a connection is tried again while it is busy or unavailable", async () => {
  const calls: ((connection: Connection) => Promise<unknown>)[] = [
    (connection) => connection.check(),
    (connection) => connection.objects(),
    (connection) => connection.describe("contacts", {}),
    (connection) => connection.write(batch("upsert")),
  ];
  for (const call of calls) {
    const { connection, tries } = failing([busy(), unavailable("unknown"), unavailable("no")]);
    await call(retry(connection, { clock: new VirtualClock(), random: () => 0.5 }));
    expect(tries()).toBe(4);
  }
});

test("what a person or a record is at fault for is never tried again", async () => {
  for (const failure of [refused, unauthorized, new Error("a defect")]) {
    const { connection, tries } = failing([failure]);
    const clock = new VirtualClock();
    await expect(retry(connection, { clock, random: Math.random }).check()).rejects.toBe(failure);
    expect([tries(), clock.slept]).toEqual([1, []]);
  }
});

test("it gives up after the attempts it has, the first included, with the last failure", async () => {
  const { connection, tries } = failing(Array.from({ length: 9 }, () => unavailable("no")));
  const clock = new VirtualClock();
  const retried = retry(connection, { clock, random: () => 0, attempts: 3 });
  await expect(retried.write(batch("upsert"))).rejects.toMatchObject({ kind: "unavailable", applied: "no" });
  expect([tries(), clock.slept.length]).toEqual([3, 2]);
});

test("waits are jittered over the whole span, which doubles up to its most", async () => {
  const waits = async (random: number): Promise<readonly number[]> => {
    const { connection } = failing(Array.from({ length: 5 }, () => unavailable("no")));
    const clock = new VirtualClock();
    await retry(connection, { clock, random: () => random, firstMs: 100, maxMs: 500 }).check();
    return clock.slept;
  };
  expect(await waits(0)).toEqual([0, 0, 0, 0, 0]);
  expect(await waits(0.5)).toEqual([50, 100, 200, 250, 250]);
  const most = [100, 200, 400, 500, 500];
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (random) => {
      for (const [at, ms] of (await waits(random)).entries()) expect(ms).toBeLessThanOrEqual(most[at] ?? 0);
    }),
    { numRuns: 50 },
  );
});

test("a wait that the vendor asked for is never cut short, and only a little longer", async () => {
  for (const random of [0, 0.999]) {
    const { connection } = failing([busy(10_000)]);
    const clock = new VirtualClock();
    await retry(connection, { clock, random: () => random, firstMs: 500 }).check();
    expect(clock.slept[0]).toBeGreaterThanOrEqual(10_000);
    expect(clock.slept[0]).toBeLessThanOrEqual(10_125);
  }
});

test("a wait that is longer than the patience ends the tries at once, telling how long", async () => {
  const { connection, tries } = failing([busy(3_600_000)]);
  const clock = new VirtualClock();
  await expect(retry(connection, { clock, random: () => 0 }).check()).rejects.toMatchObject({
    kind: "busy",
    retryAfterMs: 3_600_000,
  });
  expect([tries(), clock.slept]).toEqual([1, []]);
});

test("an insert or an event that may have arrived is not sent twice; one that has not arrived is", async () => {
  for (const operation of ["insert", "append"] as const) {
    const unknown = failing([unavailable("unknown")]);
    const options = { clock: new VirtualClock(), random: (): number => 0 };
    await expect(retry(unknown.connection, options).write(batch(operation))).rejects.toMatchObject({
      applied: "unknown",
    });
    expect(unknown.tries()).toBe(1);
    const unsent = failing([unavailable("no"), busy()]);
    await retry(unsent.connection, options).write(batch(operation));
    expect(unsent.tries()).toBe(3);
  }
  for (const operation of ["upsert", "update", "archive", "delete", "clear"] as const) {
    const { connection, tries } = failing([unavailable("unknown")]);
    await retry(connection, { clock: new VirtualClock(), random: () => 0 }).write(batch(operation));
    expect(tries()).toBe(2);
  }
});

test("one try that may have been applied makes the failure of all uncertain", async () => {
  const { connection } = failing([unavailable("unknown"), busy(), unauthorized]);
  const retried = retry(connection, { clock: new VirtualClock(), random: () => 0 });
  await expect(retried.write(batch("upsert"))).rejects.toMatchObject({ kind: "unauthorized", applied: "unknown" });
});

test("a stop ends a wait between two tries at once, with the reason of the stop", async () => {
  const { connection, tries } = failing([busy(60_000)]);
  const stop = new AbortController();
  const written = retry(connection, { clock: frozen, random: () => 0 }).write(batch("upsert"), stop.signal);
  const reason = new Error("stopped");
  setTimeout(() => stop.abort(reason), 10);
  await expect(written).rejects.toBe(reason);
  expect(tries()).toBe(1);
});

const answered = async (): Promise<Response> => new Response("{}");

test("no window of any limit ever sees more requests than its share, and none waits longer than it must", async () => {
  const limit = fc.record({
    name: fc.constant("limit"),
    requests: fc.integer({ min: 1, max: 12 }),
    perMs: fc.integer({ min: 10, max: 5000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(limit, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(0.01, 0.5, 0.8, 1),
      fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 }),
      async (limits, share, pauses) => {
        const clock = new VirtualClock();
        const times: number[] = [];
        const paced = pace(
          () => {
            times.push(clock.now().getTime());
            return answered();
          },
          memoryPacer(limits, share, clock),
        );
        for (const pause of pauses) {
          clock.pass(pause);
          await paced("http://crm/");
        }
        for (const one of limits) expect(mostIn(times, one.perMs)).toBeLessThanOrEqual(allowed(one, share));
        const waited = clock.slept.reduce((sum, ms) => sum + ms, 0);
        if (limits.every((one) => pauses.length <= allowed(one, share))) expect(waited).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});

const allowed = ({ requests }: RateLimit, share: number): number => Math.max(1, Math.floor(requests * share));

/** The most times in any span that is closed at its beginning and open at its end. */
function mostIn(times: readonly number[], spanMs: number): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length));
}

test("requests made at once go out in the order in which they were made, as fast as the limit lets them", async () => {
  const clock = new VirtualClock();
  const sent: [string, number][] = [];
  const paced = pace(
    (url) => {
      sent.push([String(url), clock.now().getTime()]);
      return answered();
    },
    memoryPacer([{ name: "second", requests: 2, perMs: 1000 }], 1, clock),
  );
  await Promise.all(["a", "b", "c", "d", "e"].map((url) => paced(url)));
  expect(sent).toEqual([
    ["a", 0],
    ["b", 0],
    ["c", 1100],
    ["d", 1100],
    ["e", 2200],
  ]);
});

test("a limit that is used up for longer than a run should wait is told, with the time at which it is over", async () => {
  const limits = [
    { name: "second", requests: 100, perMs: 1000 },
    { name: "day", requests: 1, perMs: 86_400_000 },
  ];
  const paced = pace(answered, memoryPacer(limits, 1, frozen));
  await paced("first");
  await expect(paced("second")).rejects.toMatchObject({
    kind: "busy",
    code: "limit_used_up",
    applied: "no",
    message: expect.stringContaining('"day"'),
    retryAfterMs: 86_400_250,
  });
});

test("while what counts requests does not answer, none goes out; after a minute it is said why", async () => {
  let asked = 0;
  let sent = 0;
  const ledger = (answers: number): PaceLedger => ({
    enter: () => Promise.resolve().then(() => ((asked += 1) > answers ? 0 : Promise.reject(new Error("away")))),
    heard: () => Promise.resolve(),
  });
  const send = (): Promise<Response> => answered().finally(() => (sent += 1));
  const windows = windowsOf([{ name: "second", requests: 1, perMs: 1000 }], 1);
  const clock = new VirtualClock();
  await pace(send, new Pacer(ledger(3), "c", windows, clock))("first");
  expect([asked, sent, clock.slept]).toEqual([4, 1, [1000, 1000, 1000]]);
  const never = pace(send, new Pacer(ledger(1000), "c", windows, new VirtualClock()));
  await expect(never("second")).rejects.toMatchObject({ code: "pace_unreachable" });
  expect(sent).toBe(1);
});

test("a turn that came late is taken anew, so that nothing goes out among what is counted after it; but not for ever", async () => {
  const windows = windowsOf([{ name: "second", requests: 1, perMs: 1000 }], 1);
  for (const [late, taken] of [
    [0, 1],
    [2, 3],
    [1000, 4],
  ] as const) {
    const clock = new VirtualClock();
    let counted = 0;
    const enter = async (): Promise<number> => {
      counted += 1;
      if (counted <= late) await clock.sleep(150);
      return 0;
    };
    await pace(answered, new Pacer({ enter, heard: () => Promise.resolve() }, "c", windows, clock))("any");
    expect(counted).toBe(taken);
  }
});

test("a stop ends the wait for a turn at once, also behind others, and takes no turn", async () => {
  const sent: string[] = [];
  const paced = pace(
    (url) => {
      sent.push(String(url));
      return answered();
    },
    memoryPacer([{ name: "minutes", requests: 1, perMs: 600_000 }], 1, frozen),
  );
  await paced("first");
  const [ahead, behind] = [new AbortController(), new AbortController()];
  const waiting = paced("ahead", { signal: ahead.signal });
  const queued = paced("behind", { signal: behind.signal });
  const reason = new Error("stopped");
  behind.abort(reason);
  await expect(Promise.race([queued, timer(500)])).rejects.toBe(reason);
  ahead.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(sent).toEqual(["first"]);
});

const timer = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(() => resolve("too late"), ms));

test("a request that is stopped before its turn takes none from those behind it", async () => {
  const clock = new VirtualClock();
  let sent = 0;
  const paced = pace(
    () => {
      sent += 1;
      return answered();
    },
    memoryPacer([{ name: "second", requests: 1, perMs: 1000 }], 1, clock),
  );
  await expect(paced("a", { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow("stopped");
  await paced("b");
  expect([sent, clock.slept]).toEqual([1, []]);
});

test("every request is told once, by where it went and how it ended, never with what it carried", async () => {
  const clock = new VirtualClock();
  const told: Exchange[] = [];
  const endings: (() => Promise<Response>)[] = [
    answered,
    () => Promise.reject(busy()),
    () => Promise.reject(new Error("aborted")),
  ];
  const traced = traceFetch(
    () => {
      clock.pass(5);
      return (endings.shift() ?? answered)();
    },
    clock,
    (exchange) => told.push(exchange),
  );
  await traced("https://crm.test/a?email=a@b.c", { method: "POST", body: "secret" });
  await expect(traced("https://crm.test/b")).rejects.toMatchObject({ kind: "busy" });
  await expect(traced(new URL("https://crm.test/c"))).rejects.toThrow("aborted");
  expect(told).toMatchObject([
    { method: "POST", path: "/a", status: 200, ms: 5, body: "secret", failure: null },
    { method: "GET", path: "/b", status: 429, ms: 5, answer: null, failure: expect.stringMatching(/./) as string },
    { method: "GET", path: "/c", status: null, ms: 5, answer: null, failure: "aborted" },
  ]);
});
