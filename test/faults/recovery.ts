/** What must hold after every fault, and how long it took until it did. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { isAccountedFor, type RunJson } from "../end-to-end/business.ts";
import { recoveryMs, type Site } from "./site.ts";

const ended = /^(succeeded|partial|failed|cancelled)$/;

/**
 * Waits, from the moment at which a fault was mended, until HubSpot holds the model again, and prints how long it took.
 * Fails when that is more than a minute. Then nothing may be claimed, lost or counted wrongly.
 */
export async function expectRecovery(site: Site, after: string): Promise<void> {
  const mended = performance.now();
  const expected = await untilItAnswers(() => site.expected(), mended);
  while (!sameTexts(site.held(), expected)) {
    if (performance.now() - mended > recoveryMs) {
      throw new Error(`${after}: no recovery within a minute\n${site.told()}`);
    }
    await sleep(50);
  }
  const contents = secondsSince(mended);
  await expectTruth(site, after, mended);
  process.stdout.write(`recovered in ${contents} s, settled in ${secondsSince(mended)} s: ${after}\n`);
  // A request that was still under way then must not have undone anything.
  expect(site.held(), after).toEqual(expected);
}

function secondsSince(then: number): string {
  return ((performance.now() - then) / 1000).toFixed(1);
}

/** A run that is asked for now finds nothing to do, state names what HubSpot holds, and every run is accounted for. */
async function expectTruth(site: Site, after: string, since: number): Promise<void> {
  let fresh = await untilItAnswers(() => freshRun(site), since);
  // What was in doubt is sent again by the next run, though HubSpot holds it.
  while (fresh.accepted > 0 && performance.now() - since < recoveryMs) fresh = await freshRun(site);
  const told = `${after}: ${JSON.stringify(fresh)}`;
  expect(fresh, told).toMatchObject({ accepted: 0, in_doubt: 0, planned: { changed: 0, removed: 0 } });
  expect(fresh.planned?.added, told).toBe(fresh.rejected + fresh.invalid);
  const claimed = await site.claimed();
  if (claimed !== null) expect(claimed, after).toEqual(site.heldKeys());
  for (const run of await site.history()) {
    if (ended.test(run.status)) expect(isAccountedFor(run), JSON.stringify(run)).toBe(true);
  }
}

/** A run that was asked for after all that is still open has ended. */
async function freshRun(site: Site): Promise<RunJson> {
  const busy = (await site.history()).filter(({ status }) => !ended.test(status));
  for (const { run } of busy) await site.api.settled(run, ended, recoveryMs);
  const { run } = await site.api.run();
  return site.api.settled(run, ended, recoveryMs);
}

/** What was mended may need a moment until it takes connections. */
async function untilItAnswers<Answer>(ask: () => Promise<Answer>, since: number): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() - since > 2 * recoveryMs) throw error;
      await sleep(200);
    }
  }
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index]);
}

/** How often a fault is repeated. Default 1, for every commit; many for a night. */
export const rounds = Number(process.env["SLUICE_FAULT_ROUNDS"] ?? 1);
