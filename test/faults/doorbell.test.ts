/** What is known to go wrong with a queue on Redis: stalled jobs, workers that stand still, storms of triggers. */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { Pool } from "undici";
import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { Site } from "./site.ts";

/** Takes a job as a worker of the service would, and dies before it claims the run. */
async function takeAndDie(site: Site): Promise<void> {
  const connection = new Redis(site.redis.url, { maxRetriesPerRequest: null });
  const taken = Promise.withResolvers<void>();
  const forGood = new Promise<void>(() => undefined);
  const take = (): Promise<void> => {
    taken.resolve();
    return forGood;
  };
  const dying = { lockDuration: 500, stalledInterval: 300, maxStalledCount: 1_000_000, skipLockRenewal: true };
  const worker = new Worker("runs", take, { connection, prefix: "sluice", ...dying });
  worker.on("error", () => undefined);
  await taken.promise;
  connection.disconnect();
  await worker.close(true);
}

describe.runIf(hasRedisServer())("a site on Redis", () => {
  test("does a run of which two workers took the job and died", async () => {
    await using site = await Site.open({ workers: 0, rows: 300, schedule: "" });
    const { run } = await site.api.run();
    await takeAndDie(site);
    await takeAndDie(site);
    await site.startWorker();
    const asked = performance.now();
    expect(await site.api.settled(run, /succeeded|partial|failed/, 60_000)).toMatchObject({ status: "partial" });
    expect(performance.now() - asked).toBeLessThan(30_000);
    await expectRecovery(site, "two workers died with the job");
  });

  test("goes on with a run whose worker stood still until its job counted as stalled", async () => {
    await using site = await Site.open({ workers: 1, schedule: "", batchMs: 2000 });
    const { run } = await site.api.run();
    await site.api.settled(run, /sending/);
    site.worker.freeze();
    await site.startWorker();
    // Longer than the job's lock, shorter than the run's lease.
    await sleep(18_000);
    site.worker.thaw();
    expect(await site.api.settled(run)).toMatchObject({ status: "partial", in_doubt: 0 });
    expect(await site.history()).toHaveLength(1);
    await expectRecovery(site, "a worker stood still");
  });

  test("makes two runs of 10,000 triggers that come while one is under way, and reads the last data", async () => {
    await using site = await Site.open({ workers: 2, schedule: "", batchMs: 20_000 });
    const { run } = await site.api.run();
    await site.api.settled(run, /sending/);
    const triggers = 10_000;
    const seconds = await ask(site, triggers, async () => {
      await site.sql("update accounts set name = 'Last' where id = 'A1'");
    });
    process.stdout.write(`${triggers} triggers took ${seconds.toFixed(1)} s\n`);
    await site.clearFaults();
    // However long they took: it was still under way.
    await site.api.ask("POST", `/v1/runs/${run}/cancel`);
    expect(await site.api.settled(run)).toMatchObject({ status: "cancelled" });
    const history = await site.history();
    expect(history).toHaveLength(2);
    expect(await site.api.settled(history[0]?.run ?? "")).toMatchObject({ failure: null, in_doubt: 0 });
    await expectRecovery(site, "10,000 triggers");
  });
});

/** Asks for so many runs as fast as the API answers. Returns the seconds that it took. */
async function ask(site: Site, times: number, beforeLast: () => Promise<void>): Promise<number> {
  const started = performance.now();
  const pool = new Pool(site.api.url, { connections: 32 });
  let asked = 0;
  async function client(): Promise<void> {
    while ((asked += 1) <= times) {
      if (asked === times) await beforeLast();
      const { statusCode, body } = await pool.request({
        method: "POST",
        path: "/v1/syncs/companies/runs",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      await body.dump();
      expect(statusCode).toBe(202);
    }
  }
  try {
    await Promise.all(Array.from({ length: 32 }, client));
  } finally {
    await pool.destroy();
  }
  return (performance.now() - started) / 1000;
}
