/** A limit that nobody publishes is found, used, and seldom met. */
import { describe, expect, test } from "vitest";
import { Feeler } from "../src/connection/feel.ts";
import { pace } from "../src/connection/pace.ts";
import { DestinationError } from "../src/destination.ts";
import type { Clock } from "../src/sync/ports.ts";

/** Time that passes when everybody sleeps, to the next who wakes. */
class Time implements Clock {
  #ms = 0;
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): Date {
    return new Date(this.#ms);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ at: this.#ms + ms, wake }));
  }

  async pass(untilMs: number): Promise<void> {
    for (;;) {
      await new Promise(setImmediate);
      const next = this.#sleepers.toSorted((one, other) => one.at - other.at)[0];
      if (!next || next.at > untilMs) return;
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.#ms = next.at;
      next.wake();
    }
  }
}

/** A vendor that takes so many requests in any second, and what it saw in the last of two minutes. */
async function meet(limit: number, runs: number): Promise<{ used: number; refused: number }> {
  const time = new Time();
  const feeler = new Feeler(time);
  const taken: number[] = [];
  let refused = 0;
  const fetch = pace(async () => {
    await time.sleep(20);
    const now = time.now().getTime();
    while ((taken[0] ?? now) <= now - 1000) taken.shift();
    if (taken.length >= limit) {
      if (now >= 60_000) refused += 1;
      throw new DestinationError("busy", "slow down", { code: "429", applied: "no" });
    }
    taken.push(now);
    if (now >= 60_000) good += 1;
    return new Response();
  }, feeler);
  let good = 0;
  const send = async (): Promise<void> => {
    for (;;) await fetch("https://crm.test/").catch(() => time.sleep(200));
  };
  for (let n = 0; n < runs; n += 1) void send();
  await time.pass(120_000);
  return { used: good / (60 * limit), refused: refused / (good + refused) };
}

describe("within a minute", () => {
  test.each([
    [5, 4],
    [10, 8],
    [30, 8],
    [100, 16],
    [300, 32],
  ])(
    "of %i requests a second, four of five are used by %i senders, and one of twenty is refused at the most",
    async (limit, senders) => {
      const { used, refused } = await meet(limit, senders);
      expect(used).toBeGreaterThan(0.8);
      expect(refused).toBeLessThan(0.05);
    },
  );
});

test("a wait that is asked for holds for everybody", async () => {
  const time = new Time();
  const feeler = new Feeler(time);
  await feeler.failed(new DestinationError("busy", "later", { code: "429", applied: "no", retryAfterMs: 7000 }));
  let entered = -1;
  void feeler.enter(undefined).then(() => (entered = time.now().getTime()));
  await time.pass(60_000);
  expect(entered).toBeGreaterThanOrEqual(7000);
});

test("who is never refused is soon not held up at all", async () => {
  const time = new Time();
  const feeler = new Feeler(time);
  for (let n = 0; n < 20_000; n += 1) void feeler.enter(undefined);
  await time.pass(12_000);
  expect(feeler.rate).toBe(10_000);
});
