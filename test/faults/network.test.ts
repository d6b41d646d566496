/** The network between a worker and HubSpot, Postgres and Redis cuts, delays and slices: a seed that failed is printed. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { Chance } from "../simulation/chance.ts";
import { Proxy, type Weather } from "./proxy.ts";
import { expectRecovery, rounds } from "./recovery.ts";
import { Site } from "./site.ts";

const seed = Number(process.env["SLUICE_FAULT_SEED"] ?? Math.floor(Math.random() * 1e9));

/** How long a storm lasts. */
const stormMs = 6000;

const storms: readonly { readonly between: "hubspot" | "postgres" | "redis"; readonly weather: Weather }[] = [
  { between: "hubspot", weather: { cut: 0.05, delayMs: 5, sliceBytes: 4096 } },
  { between: "postgres", weather: { cut: 0.03, delayMs: 2, sliceBytes: 1000 } },
  { between: "redis", weather: { cut: 0.2, delayMs: 5, sliceBytes: 7 } },
];

describe.runIf(hasRedisServer())("a worker behind a bad network", () => {
  const proxies: Partial<Record<"hubspot" | "postgres" | "redis", Proxy>> = {};
  let site: Site;
  let turn = 0;

  async function behindProxies(built: Site): Promise<Record<string, string>> {
    const chance = new Chance(seed);
    const { SLUICE_DATABASE_URL = "", SLUICE_REDIS_URL = "", HUBSPOT = "", WAREHOUSE = "" } = built.environment;
    const hubspot = (proxies.hubspot = await Proxy.open(HUBSPOT, chance));
    const postgres = (proxies.postgres = await Proxy.open(SLUICE_DATABASE_URL, chance));
    const redis = (proxies.redis = await Proxy.open(SLUICE_REDIS_URL, chance));
    return {
      HUBSPOT: hubspot.through(HUBSPOT),
      SLUICE_DATABASE_URL: postgres.through(SLUICE_DATABASE_URL),
      WAREHOUSE: postgres.through(WAREHOUSE),
      SLUICE_REDIS_URL: redis.through(SLUICE_REDIS_URL),
    };
  }

  beforeAll(async () => {
    site = await Site.open({ workers: 0 });
    await site.startWorker(await behindProxies(site));
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    await Promise.all(Object.values(proxies).map((proxy) => proxy[Symbol.asyncDispose]()));
  });

  test.each(storms)("a storm towards $between passes, and all is as it should be", async ({ between, weather }) => {
    const proxy = proxies[between];
    if (proxy === undefined) throw new Error(`there is no proxy to ${between}`);
    for (let round = 0; round < rounds; round += 1) {
      await site.edit((turn += 1));
      await site.sending();
      proxy.storm(weather);
      await sleep(stormMs / 2);
      await site.edit((turn += 1));
      await sleep(stormMs / 2);
      proxy.calm();
      await expectRecovery(site, `a storm towards ${between}, seed ${seed}, ${proxy.cuts} cuts`);
      expect(site.worker.ended, `seed ${seed}\n${site.worker.output.slice(-3000)}`).toBe(false);
    }
    expect(proxy.cuts, `seed ${seed}`).toBeGreaterThan(0);
  });
});
