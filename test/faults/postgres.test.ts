/** The control store and the warehouse crash, restart or stand still together: runs are settled, and go on by themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery, rounds } from "./recovery.ts";
import { Site } from "./site.ts";

describe.runIf(hasRedisServer())("a site whose Postgres", () => {
  let site: Site;
  let turn = 0;

  beforeAll(async () => {
    site = await Site.open({ workers: 2 });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  async function midway(): Promise<void> {
    await site.edit((turn += 1));
    await site.sending();
  }

  function expectAlive(): void {
    for (const process of [site.api, ...site.workers]) expect(process.ended, process.output.slice(-2000)).toBe(false);
  }

  test.each(["fast", "immediate"] as const)("is restarted (%s) goes on", async (mode) => {
    for (let round = 0; round < rounds; round += 1) {
      await midway();
      await sleep(Math.random() * 300);
      await site.postgres.restart(mode);
      await site.edit((turn += 1));
      await expectRecovery(site, `Postgres was restarted (${mode})`);
      expectAlive();
    }
  });

  test("stands still for 20 s goes on", async () => {
    await midway();
    site.postgres.freeze();
    await sleep(20_000);
    site.postgres.thaw();
    await site.edit((turn += 1));
    await expectRecovery(site, "Postgres stood still for 20 s");
    expectAlive();
  });
});
