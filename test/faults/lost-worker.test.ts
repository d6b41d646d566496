/** An API and its workers in processes of their own, on Postgres and Redis: whatever is lost, no run is. */
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { hasRedis, startRedis, type TestRedis } from "../redis.ts";
import { Business, isAccountedFor, type RunningService } from "../end-to-end/business.ts";

/** Slow enough that another worker has started before the run is done. */
const slow = { path: "/batch/", times: null, fault: { kind: "delay", ms: 1500 } } as const;

describe.runIf(hasRedis())("an API and workers on Postgres and Redis", () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let business: Business;
  let environment: Record<string, string>;
  let api: RunningService;
  let worker: RunningService;

  beforeAll(async () => {
    [postgres, redis, business] = await Promise.all([startPostgres(), startRedis(), Business.open(8000)]);
    environment = { SLUICE_DATABASE_URL: await postgres.database(), SLUICE_REDIS_URL: redis.url };
    expect((await business.sluice(["apply"], { environment })).code).toBe(0);
    api = await business.start(["--role", "api"], environment);
  });
  afterAll(async () => {
    await Promise.all([api?.stop(), worker?.stop()]);
    await Promise.all([postgres?.stop(), redis?.stop(), business?.[Symbol.asyncDispose]()]);
  });

  const startWorker = (): Promise<RunningService> => business.start(["--role", "worker"], environment);

  async function loseAllJobs(): Promise<void> {
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
  }

  /** A run of every row that this worker is sending, while another worker waits. */
  async function sendSlowly(): Promise<{ run: string; other: RunningService; model: readonly string[] }> {
    await business.sql("update accounts set mrr = mrr + 1 where mrr > 0");
    const model = await business.expected();
    await business.fault(slow);
    const { run } = await api.run();
    await api.settled(run, /sending/);
    const other = await startWorker();
    expect(await api.settled(run, /./)).toMatchObject({ status: "sending" });
    return { run, other, model };
  }

  test("a run that Redis has forgotten is done by the worker that comes", async () => {
    const { run } = await api.run();
    await loseAllJobs();
    worker = await startWorker();
    expect(await api.settled(run)).toMatchObject({ status: "succeeded", accepted: 6400 });
    expect(business.held()).toEqual(await business.expected());
  });

  test("a run that the API asks for is done by the worker, and only there", async () => {
    await business.sql("update accounts set name = 'Renamed' where id = 'A1'");
    const { run } = await api.run();
    expect(await api.settled(run)).toMatchObject({ status: "succeeded", accepted: 1 });
    await expect.poll(() => worker.output).toContain(run);
    expect(api.output).not.toContain(run);
  });

  test("a worker that is stopped settles its run and hands the rest over, though Redis loses all", async () => {
    const { run, other, model } = await sendSlowly();
    await loseAllJobs();
    expect(await worker.stop("SIGTERM")).toBe(0);
    worker = other;
    await business.clearFaults();
    const ended = await api.settled(run);
    expect(ended).toMatchObject({ status: "failed", failure: { code: "interrupted" } });
    expect(isAccountedFor(ended)).toBe(true);
    const next = await api.recovered(run);
    expect(next).toMatchObject({ status: "succeeded", in_doubt: 0 });
    await expect.poll(() => other.output).toContain(next.run);
    expect(business.held()).toEqual(model);
  });

  test("a run that its worker takes to the grave is settled and gone on with by the other", async () => {
    const { run, other, model } = await sendSlowly();
    await worker.stop("SIGKILL");
    worker = other;
    await loseAllJobs();
    await business.clearFaults();
    // Its lease runs out first.
    const lost = await api.settled(run, /succeeded|partial|failed/, 60_000);
    expect(lost).toMatchObject({ status: "failed", failure: { code: "worker_lost" } });
    expect(isAccountedFor(lost)).toBe(true);
    expect(await api.recovered(run)).toMatchObject({ status: "succeeded", in_doubt: 0 });
    expect(business.held()).toEqual(model);
    expect(await business.falseClaims()).toEqual([]);
  }, 120_000);
});
