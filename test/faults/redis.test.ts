/** Redis loses everything, dies, stands still or is full: no run is lost, and none needs a hand. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { Site } from "./site.ts";

describe.runIf(hasRedisServer())("a site whose Redis", () => {
  let site: Site;
  let turn = 0;

  beforeAll(async () => {
    site = await Site.open({ workers: 2 });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  async function command(...words: readonly [string, ...string[]]): Promise<void> {
    const [name, ...rest] = words;
    const redis = new Redis(site.redis.url);
    await redis.call(name, ...rest);
    redis.disconnect();
  }

  /** Resolves while a run that sends the newest edit is under way. */
  async function midway(): Promise<void> {
    await site.edit((turn += 1));
    await site.sending();
  }

  test("is flushed goes on, with its schedule", async () => {
    await midway();
    await command("flushall");
    await site.edit((turn += 1));
    await expectRecovery(site, "Redis was flushed");
    expect((await site.history())[0]?.trigger).toMatch(/schedule|api/);
  });

  test("is killed and comes back empty goes on", async () => {
    await midway();
    await site.redis.kill();
    await site.edit((turn += 1));
    await sleep(3000);
    await site.redis.restart();
    await expectRecovery(site, "Redis was killed and came back empty");
  });

  test("stands still for 20 s goes on, and the API answers meanwhile", async () => {
    await midway();
    site.redis.freeze();
    await site.edit((turn += 1));
    const asked = performance.now();
    const answer = site.api.ask("POST", "/v1/syncs/companies/runs", {});
    const { status } = await Promise.race([answer, sleep(5000, { status: "no answer" })]);
    await sleep(20_000 - (performance.now() - asked));
    site.redis.thaw();
    expect(status).toBe(202);
    await expectRecovery(site, "Redis stood still for 20 s");
  });

  test("is out of memory takes runs all the same, and does them when there is room", async () => {
    await command("config", "set", "maxmemory", "1");
    await site.edit((turn += 1));
    expect((await site.api.ask("POST", "/v1/syncs/companies/runs", {})).status).toBe(202);
    await sleep(5000);
    await command("config", "set", "maxmemory", "0");
    await expectRecovery(site, "Redis was out of memory");
  });
});
