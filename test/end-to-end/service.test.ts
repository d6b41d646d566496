/** The service in processes of its own: runs over REST, commands beside it, stops and kills. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Business, isAccountedFor, type RunJson, type RunningService } from "./business.ts";

const slow = { path: "/batch/", times: null, fault: { kind: "delay", ms: 150 } } as const;

describe("over REST", () => {
  let business: Business;
  let service: RunningService;
  beforeAll(async () => {
    business = await Business.open(4000);
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
    expect(run).toMatchObject({ status: "partial", accepted: 3197, in_doubt: 0 });
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

  test("a full run sends every record again", async () => {
    await business.sql("update accounts set mrr = 9 where id < 'A2' and plan <> 'unheard of'");
    await service.settled((await service.run()).run);
    const full = await service.settled((await service.run("companies", { kind: "full" })).run);
    const { added = 0, changed = 0 } = full.planned ?? {};
    expect(full).toMatchObject({ status: "succeeded", unchanged: 0, accepted: added + changed });
    expect(full.accepted).toBeGreaterThan(1000);
    expect(full.requests).toBeGreaterThan(full.accepted / 100);
    expect(business.held()).toEqual(await business.expected());
  });

  test("only the rows that are named are read and sent, also unchanged ones, and one that is nowhere is counted", async () => {
    await service.settled((await service.run()).run);
    await business.sql("update accounts set name = name || '?' where id in ('A11', 'A12')");
    const body = { kind: "keys", keys: ["A11", "A13", "nobody"] };
    const named = await service.settled((await service.run("companies", body)).run);
    expect(named).toMatchObject({ status: "succeeded", kind: "keys", accepted: 2, not_found: 1 });
    const rest = await service.settled((await service.run()).run);
    expect(rest).toMatchObject({ accepted: 1, planned: { changed: 1 } });
    const command = await business.sluice(["--json", "run", "companies", "--key", "A13", "--key", "A14"]);
    expect(JSON.parse(command.stdout)).toMatchObject({ kind: "keys", accepted: 2, already_there: 0 });
    expect(business.held()).toEqual(await business.expected());
  });

  test("10,000 asks for rows during a run are one more run, and every row is in it", async () => {
    await business.fault({ ...slow, fault: { kind: "delay", ms: 3000 } });
    const first = await service.run("companies", { kind: "full" });
    await service.settled(first.run, /sending/);
    const asks = Array.from({ length: 100 }, (_, n) =>
      service.run("companies", { kind: "keys", keys: Array.from({ length: 100 }, (_, i) => `A${n * 100 + i}`) }),
    );
    const [next = "", ...others] = new Set((await Promise.all(asks)).map(({ run }) => run));
    expect(others).toEqual([]);
    await business.clearFaults();
    await service.settled(first.run);
    const run = await service.settled(next);
    expect(run.accepted + run.not_found).toBe(10_000);
  });

  test("commands on its folder talk to it", async () => {
    await business.sql("update accounts set mrr = 10 where id = 'A9'");
    const { code, stdout } = await business.sluice(["--json", "run", "companies"]);
    expect(code).toBe(0);
    const run = JSON.parse(stdout) as RunJson;
    expect(run).toMatchObject({ status: "succeeded", accepted: 1, trigger: "command" });
    expect((await service.ask("GET", `/v1/runs/${run.run}`)).body).toEqual(run);
    const status = await business.sluice(["--json", "status"]);
    expect(JSON.parse(status.stdout)).toMatchObject([{ sync: "companies", last_run: { run: run.run } }]);
    const unknown = await business.sluice(["run", "companys"]);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean "companies"?') });
  });

  test("a second service on its folder is refused in one clear message", async () => {
    const second = await business.sluice(["--json", "start", "--port", "0"]);
    expect(second.code).toBe(1);
    const { error } = JSON.parse(second.stdout) as { error: { code: string; message: string } };
    expect(error).toMatchObject({ code: "folder_locked", message: expect.stringContaining(service.url) });
    expect(second.stderr).not.toMatch(/\n\s+at /);
    expect(await service.ask("GET", "/readyz")).toMatchObject({ status: 200 });
  });

  test("a port that is taken, or is none, is one clear message too", async () => {
    const environment = { SLUICE_DATA_DIR: "another" };
    const taken = await business.sluice(["--json", "start", "--port", new URL(service.url).port], { environment });
    expect(taken.code).toBe(1);
    expect(JSON.parse(taken.stdout)).toMatchObject({ error: { code: "cannot_listen" } });
    expect(await business.sluice(["start", "--port", "http"])).toMatchObject({ code: 2 });
  });
});

describe("ended in the middle of a run", () => {
  test("by SIGTERM: it settles the run and ends well, in time; the next service goes on by itself", async () => {
    await using business = await Business.open(2000);
    const model = await business.expected();
    await business.fault(slow);
    const service = await business.start();
    const { run } = await service.run();
    await service.settled(run, /sending/);
    const stoppedAt = performance.now();
    expect(await service.stop("SIGTERM")).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    await business.clearFaults();
    await using next = await business.start();
    const ended = await next.settled(run);
    expect(ended).toMatchObject({ status: "failed", failure: { code: "interrupted" } });
    expect(isAccountedFor(ended)).toBe(true);
    expect(await next.recovered(run)).toMatchObject({ status: "succeeded", in_doubt: 0 });
    expect(business.held()).toEqual(model);
  });

  test("by SIGKILL: the next service recovers it and goes on, without a hand", async () => {
    await using business = await Business.open(2000);
    const model = await business.expected();
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
    expect(await next.recovered(run)).toMatchObject({ status: "succeeded", in_doubt: 0 });
    expect(business.held()).toEqual(model);
    expect(await business.falseClaims()).toEqual([]);
  });
});

test("a schedule starts runs by itself, again and again", async () => {
  await using business = await Business.open(50);
  business.write("workspace.yaml", `${business.read("workspace.yaml")}schedule: { every: 1s }\n`);
  const before = await business.expected();
  await using service = await business.start();
  await expect.poll(() => business.held(), { timeout: 20_000 }).toEqual(before);
  await business.sql("update accounts set name = name || ' & Sons' where id in ('A1', 'A2')");
  const after = await business.expected();
  await expect.poll(() => business.held(), { timeout: 20_000 }).toEqual(after);
  const { data } = (await service.ask("GET", "/v1/runs")).body as { data: readonly RunJson[] };
  expect(data.length).toBeGreaterThan(1);
  expect(new Set(data.map(({ trigger }) => trigger))).toEqual(new Set(["schedule"]));
});
