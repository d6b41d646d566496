/** A destination that is down is asked by one, seldom, and by all as soon as it is back. */
import { expect, test } from "vitest";
import { Breaker, breaking, downPatienceMs } from "../src/connection/breaker.ts";
import { retry } from "../src/connection/retry.ts";
import { type Batch, type Connection, DestinationError } from "../src/destination.ts";
import type { Clock } from "../src/sync/ports.ts";
import { VirtualTime } from "./simulation/virtual-time.ts";

const batch: Batch = {
  object: "contacts",
  settings: {},
  operation: "upsert",
  fields: [],
  match: ["email"],
  changes: [],
  id: "batch",
};

/** A destination that is down from and until then, and all that it was asked, by when. */
class Vendor {
  readonly time = new VirtualTime();
  readonly asked: { readonly what: "check" | "write"; readonly at: number }[] = [];
  readonly breaker: Breaker;
  readonly clock: Clock;
  readonly #start = this.time.now();
  readonly #down: readonly [fromMs: number, untilMs: number];
  readonly #failure: DestinationError;

  constructor(down: readonly [fromMs: number, untilMs: number], failure: DestinationError = failed) {
    this.#down = down;
    this.#failure = failure;
    this.clock = {
      now: () => new Date(this.time.now()),
      sleep: (ms, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const cancel = this.time.after(ms, resolve);
        signal?.addEventListener("abort", () => {
          cancel();
          reject(signal.reason as Error);
        });
        return promise;
      },
    };
    this.breaker = new Breaker({ clock: this.clock, random: () => 0.5 });
  }

  get ms(): number {
    return this.time.now() - this.#start;
  }

  /** As a run has it. */
  connection(): Connection {
    const answer = async (what: "check" | "write"): Promise<void> => {
      this.asked.push({ what, at: this.ms });
      if (this.ms >= this.#down[0] && this.ms < this.#down[1]) throw this.#failure;
    };
    const bare: Connection = {
      check: () => answer("check").then(() => ({ account: "account" })),
      objects: () => Promise.resolve([]),
      describe: () => Promise.reject(new Error("is not asked")),
      write: () => answer("write").then(() => []),
    };
    return retry(breaking(bare, this.breaker), { clock: this.clock, random: () => 0.5 });
  }

  asksBetween(fromMs: number, untilMs: number): number {
    return this.asked.filter(({ at }) => at >= fromMs && at < untilMs).length;
  }
}

const failed = new DestinationError("unavailable", "failed", { code: "http_503", applied: "unknown", status: 503 });
const refused = new DestinationError("refused", "wrong", { code: "wrong", applied: "no", status: 400 });

test("of fifty that wait for one that is down a single one asks, ever more seldom; all go on when it is back", async () => {
  const vendor = new Vendor([0, 90_000]);
  const writes = Array.from({ length: 50 }, () => vendor.connection().write(batch));
  await vendor.time.until(Promise.all(writes));
  // Each may have tried once before it was known.
  expect(vendor.asksBetween(0, 1000)).toBeLessThanOrEqual(50);
  expect(vendor.asksBetween(1000, 90_000)).toBeLessThanOrEqual(12);
  expect(vendor.ms).toBeLessThan(90_000 + 16_000);
  expect(vendor.asked.filter(({ what, at }) => what === "write" && at >= 90_000)).toHaveLength(50);
  expect(vendor.breaker.isOpen).toBe(false);
});

test("one that stays down is told as what it is after two minutes, and tries are not spent on it", async () => {
  const vendor = new Vendor([0, Infinity]);
  const written = vendor.connection().write(batch);
  await expect(vendor.time.until(written)).rejects.toMatchObject({ kind: "unavailable", code: "http_503" });
  expect(vendor.ms).toBeGreaterThanOrEqual(downPatienceMs);
  expect(vendor.ms).toBeLessThan(downPatienceMs + 30_000);
  // What comes then waits too, and asks no sooner.
  const [before, from] = [vendor.asked.length, vendor.ms];
  await expect(vendor.time.until(vendor.connection().write(batch))).rejects.toMatchObject({ applied: "no" });
  expect(vendor.asked.slice(before).map(({ what }) => what)).not.toContain("write");
  expect(vendor.asksBetween(from, Infinity)).toBeLessThanOrEqual(12);
});

test("a batch that may have arrived before it was down stays in doubt", async () => {
  const vendor = new Vendor([0, Infinity]);
  const written = vendor.connection().write(batch);
  await expect(vendor.time.until(written)).rejects.toMatchObject({ applied: "unknown" });
});

test("a single failure, and a refusal however often, open nothing", async () => {
  const moment = new Vendor([0, 400]);
  await moment.time.until(moment.connection().write(batch));
  expect(moment.asked.map(({ what }) => what)).not.toContain("check");
  const picky = new Vendor([0, Infinity], refused);
  for (let n = 0; n < 20; n += 1) await expect(picky.time.until(picky.connection().write(batch))).rejects.toBe(refused);
  expect([picky.breaker.isOpen, picky.asked.length]).toEqual([false, 20]);
});

test("a run that is stopped while it waits, or looks, leaves the others waiting as they were", async () => {
  const vendor = new Vendor([0, 60_000]);
  const stop = new AbortController();
  const stopped = vendor.connection().write(batch, stop.signal);
  const other = vendor.connection().write(batch);
  stopped.catch(() => undefined);
  await vendor.time.pass(20_000);
  expect(vendor.breaker.isOpen).toBe(true);
  const reason = new Error("stopped");
  stop.abort(reason);
  await expect(vendor.time.until(stopped)).rejects.toBe(reason);
  expect(vendor.breaker.isOpen).toBe(true);
  await vendor.time.until(other);
  expect(vendor.ms).toBeLessThan(60_000 + 16_000);
});
