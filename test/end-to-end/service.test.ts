/** The service in processes of its own: runs over REST, commands beside it, stops and kills. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { hasRedis, startRedis, type TestRedis } from "../redis.ts";
import { Business, isAccountedFor, type RunJson, type RunningService } from "./business.ts";

const slow = { path: "/batch/", times: null, fault: { kind: "delay", ms: 150 } } as const;

describe("over REST", () => {
  let business: Business;
  let service: RunningService;
  beforeAll(async () => {
    business = await Business.open(2000);
    service = await business.start();
  });
  afterAll(async () => {
    await service.stop();
    await business[Symbol.asyncDispose]();
  });

  test("is alive and ready", async () => {
    expect(await service.ask("GET", "/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
    expect(await service.ask("GET", "/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
  });

  test("a run is started, watched to its end, and its rejections are listed", async () => {
    await business.sql("update accounts set plan = 'unheard of' where id in ('A1', 'A2', 'A3')");
    const started = await service.ask("POST", "/v1/syncs/companies/runs", {});
    expect(started.status).toBe(202);
    const run = await service.settled((started.body as RunJson).run);
    expect(run).toMatchObject({ status: "partial", accepted: 1597, in_doubt: 0 });
    expect(isAccountedFor(run)).toBe(true);
    const pages: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const query = `limit=2${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
      const { body } = await service.ask("GET", `/v1/runs/${run.run}/rejections?${query}`);
      const page = body as { data: { row_key: string }[]; next_cursor: string | null };
      pages.push(...page.data.map((one) => one.row_key));
      cursor = page.next_cursor;
    }
    expect(pages.toSorted()).toEqual(["A1", "A2", "A3"]);
    expect(business.held()).toEqual(await business.expected(pages));
  });

  test("asks for a run that come together are one run; one that comes during a run is the next", async () => {
    await business.fault(slow);
    const first = await service.run("companies", { kind: "full" });
    await service.settled(first.run, /planning|sending/);
    const more = await Promise.all([service.run(), service.run(), service.run()]);
    expect(new Set(more.map(({ run }) => run)).size).toBe(1);
    expect(more[0]?.run).not.toBe(first.run);
    await business.clearFaults();
    expect(await service.settled(first.run)).toMatchObject({ status: "partial" });
    expect(await service.settled(more[0]?.run ?? "")).toMatchObject({ planned: { added: 0, changed: 0 } });
  });

  test("a run is cancelled: what was sent is kept, the rest is planned again", async () => {
    await business.sql("update accounts set name = name || '!'");
    await business.fault({ ...slow, fault: { kind: "delay", ms: 600 } });
    const { run } = await service.run();
    await service.settled(run, /sending/);
    expect((await service.ask("POST", `/v1/runs/${run}/cancel`)).status).toBe(200);
    const cancelled = await service.settled(run);
    expect(cancelled.status).toBe("cancelled");
    expect(isAccountedFor(cancelled)).toBe(true);
    await business.clearFaults();
    await service.settled((await service.run()).run);
    expect(business.held()).toEqual(await business.expected(["A1", "A2", "A3"]));
  });

  test("a run that would remove too much is held until it is released, or cancelled", async () => {
    await business.sql("update accounts set mrr = 0 where id <> 'A9'");
    const held = await service.settled((await service.run()).run);
    expect(held).toMatchObject({ status: "held", gate: { reasons: [{ code: "too_many_removals" }] } });
    await service.ask("POST", `/v1/runs/${held.run}/cancel`);
    expect(await service.settled(held.run, /cancelled/)).toMatchObject({ requests: 0 });
    const again = await service.settled((await service.run()).run);
    await service.ask("POST", `/v1/runs/${again.run}/release`);
    expect(await service.settled(again.run, /succeeded|partial|failed/)).toMatchObject({ status: "succeeded" });
    expect(business.held()).toEqual(await business.expected());
  });

  test.each([
    ["GET", "/v1/runs/run_nothing", undefined, 404, "run_not_found"],
    ["POST", "/v1/syncs/nothing/runs", {}, 404, "not_found"],
    ["POST", "/v1/syncs/companies/runs", { kind: "all" }, 422, "invalid_request"],
    ["POST", "/v1/syncs/companies/runs", { kindd: "full" }, 422, "invalid_request"],
    ["POST", "/v1/syncs/companies/runs", "{", 400, "invalid_request"],
    ["GET", "/v1/runs?limit=0", undefined, 422, "invalid_request"],
    ["GET", "/v1/nothing", undefined, 404, "route_not_found"],
  ])("%s %s with %j is answered %i, as a problem", async (method, path, body, status, code) => {
    const answer = await service.ask(method, path, body);
    expect(answer).toMatchObject({
      status,
      body: { status, code, title: expect.any(String), detail: expect.any(String) },
    });
    expect(answer.type).toMatch("application/problem+json");
  });

  test("a wrong workspace changes nothing, and every error is told", async () => {
    const before = await service.ask("GET", "/v1/syncs");
    const documents = [
      { kind: "model", name: "orders", source: "nowhere", table: "orders", key: "id" },
      {
        kind: "sync",
        name: "orders",
        from: { model: "orders" },
        to: { destination: "hubspot", object: "deals" },
        mode: "sideways",
        match: { id: "id" },
        fields: { a: "a" },
      },
    ];
    const answer = await service.ask("POST", "/v1/workspace", { documents });
    expect(answer).toMatchObject({ status: 422 });
    expect(JSON.stringify(answer.body)).toMatch(/sideways/);
    expect(await service.ask("GET", "/v1/syncs")).toEqual(before);
  });

  test("a command beside it talks to it, and a second service is refused", async () => {
    const { code, stdout } = await business.sluice(["--json", "run", "companies"]);
    expect(code).toBe(0);
    const run = JSON.parse(stdout) as RunJson;
    expect((await service.ask("GET", `/v1/runs/${run.run}`)).body).toMatchObject({ status: "succeeded" });
    const second = await business.sluice(["start", "--port", "0"]);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/in use|running/);
  });

  test("no credential is in what it wrote", () => {
    expect(service.output).not.toContain("right-token");
  });
});

describe("ended in the middle of a run", () => {
  test("by SIGTERM: it ends by itself, and the next run goes on", async () => {
    await using business = await Business.open(2000);
    await business.fault(slow);
    const service = await business.start();
    const { run } = await service.run();
    await service.settled(run, /sending/);
    expect(await service.stop("SIGTERM")).toBe(0);
    await business.clearFaults();
    await using next = await business.start();
    await next.settled((await next.run()).run);
    const ended = await next.settled(run);
    expect(isAccountedFor(ended)).toBe(true);
    expect(business.held()).toEqual(await business.expected());
  });

  test("by SIGKILL: the next service recovers it without a hand", async () => {
    await using business = await Business.open(2000);
    await business.fault(slow);
    const service = await business.start();
    const { run } = await service.run();
    await service.settled(run, /sending/);
    await sleep(200);
    await service.stop("SIGKILL");
    await business.clearFaults();
    await using next = await business.start();
    const lost = await next.settled(run);
    expect(lost).toMatchObject({ status: "failed", failure: { code: "worker_lost" } });
    expect(isAccountedFor(lost)).toBe(true);
    await next.settled((await next.run()).run);
    expect(business.held()).toEqual(await business.expected());
  });
});

test("a schedule starts runs by itself", async () => {
  await using business = await Business.open(50);
  business.write("workspace.yaml", `${business.read("workspace.yaml")}schedule: { every: 1m }\n`);
  await using service = await business.start();
  const deadline = Date.now() + 20_000;
  while (business.held().length < 40 && Date.now() < deadline) await sleep(100);
  expect(business.held()).toEqual(await business.expected());
  const { body } = await service.ask("GET", "/v1/runs");
  expect(body).toMatchObject({ data: [{ trigger: "schedule" }] });
});

describe.skipIf(!hasRedis())("an API and two workers on Postgres and Redis", () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  afterAll(async () => {
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  test("a run that its worker takes to the grave is done by the other", async () => {
    await using business = await Business.open(1500);
    const environment = { SLUICE_DATABASE_URL: await postgres.database(), SLUICE_REDIS_URL: redis.url };
    expect((await business.sluice(["apply"], { environment })).code).toBe(0);
    await using api = await business.start(["--role", "api"], environment);
    await using one = await business.start(["--role", "worker"], environment);
    await business.fault(slow);
    const { run } = await api.run();
    await api.settled(run, /sending/);
    await one.stop("SIGKILL");
    await using _two = await business.start(["--role", "worker"], environment);
    await business.clearFaults();
    // Its lease runs out first.
    const lost = await api.settled(run, /failed/, 60_000);
    expect(isAccountedFor(lost)).toBe(true);
    const next = await api.settled((await api.run()).run);
    expect(next).toMatchObject({ status: "succeeded" });
    expect(business.held()).toEqual(await business.expected());
  }, 120_000);
});
