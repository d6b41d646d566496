/** A worker wakes up after another has gone on: nothing is undone. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { Site } from "./site.ts";

describe.runIf(hasRedisServer())("a worker that stands still past its lease", () => {
  test("sends nothing when it wakes, and works on", async () => {
    await using site = await Site.open({ workers: 1, batchMs: 1500 });
    const { run } = await site.sending();
    const zombie = site.worker;
    zombie.freeze();
    await site.startWorker();
    expect(await site.api.settled(run, /failed/, 60_000)).toMatchObject({ failure: { code: "worker_lost" } });
    await site.edit(1);
    await expectRecovery(site, "a worker stood still past its lease");
    const holding = site.held();
    const before = await site.writes();
    zombie.thaw();
    await sleep(5000);
    expect(await site.writes()).toBe(before);
    expect(site.held()).toEqual(holding);
    expect(zombie.ended, zombie.output.slice(-2000)).toBe(false);
  });
});
