/** Syncs that run because others have, because dbt has, or not at all for now. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Business, type RunJson, type RunningService } from "./business.ts";

const sync = (name: string, after: string): string => `---
kind: sync
name: ${name}
from: { model: accounts, segment: paying }
to: { destination: hubspot, object: companies }
mode: upsert
match: { account_id: id }
fields: { name: name }
after: ${after}
`;

let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(10);
  const syncs = [sync("second", "{ sync: companies }"), sync("always", "{ sync: companies, when: ended }")];
  business.write("workspace.yaml", `${business.read("workspace.yaml")}${syncs.join("")}`);
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});
afterEach(() => business.clearFaults());

/** The runs that followed a run, once they have ended. */
async function followers(of: string, count: number): Promise<readonly RunJson[]> {
  const found = async (): Promise<readonly (RunJson & { sync: string })[]> => {
    const { body } = await service.ask("GET", "/v1/runs?limit=200");
    const { data } = body as { data: readonly (RunJson & { sync: string })[] };
    return data.filter(({ trigger }) => trigger === `after ${of}`);
  };
  await expect.poll(async () => (await found()).length, { timeout: 15_000 }).toBe(count);
  return await Promise.all((await found()).map(({ run }) => service.settled(run)));
}

const syncsOf = (runs: readonly object[]): readonly string[] =>
  runs.map((run) => (run as { sync: string }).sync).toSorted();

describe("a sync that follows another", () => {
  test("runs once when that one has succeeded", async () => {
    const { run } = await service.run();
    expect(await service.settled(run)).toMatchObject({ status: "succeeded" });
    const runs = await followers(run, 2);
    expect(syncsOf(runs)).toEqual(["always", "second"]);
    expect(runs.every(({ status }) => status === "succeeded")).toBe(true);
  });

  test("does not run when that one has failed, unless it is to run whatever becomes of it", async () => {
    await business.fault({ path: "/", fault: { kind: "status", status: 401 } });
    const { run } = await service.run("companies", { kind: "full" });
    expect(await service.settled(run)).toMatchObject({ status: "failed" });
    await business.clearFaults();
    expect(syncsOf(await followers(run, 1))).toEqual(["always"]);
  });

  test("runs also when the service was killed in between", async () => {
    const { run } = await service.run("companies", { kind: "full" });
    await service.settled(run);
    await service.stop("SIGKILL");
    service = await business.start();
    expect(syncsOf(await followers(run, 2))).toEqual(["always", "second"]);
  });

  test("is not let wait for itself, by way of others either; and what it follows is not deleted", async () => {
    const circle = await service.ask("PATCH", "/v1/syncs/companies?override=true", { after: { sync: "second" } });
    expect(circle).toMatchObject({ status: 422, body: { errors: [{ code: "cycle", pointer: "/after/sync" }] } });
    expect(JSON.stringify(circle.body)).toContain("companies after second after companies");
    const unknown = await service.ask("PATCH", "/v1/syncs/second?override=true", { after: { sync: "companys" } });
    expect(unknown).toMatchObject({ status: 422, body: { errors: [{ suggestion: "companies" }] } });
    const deleted = await service.ask("DELETE", "/v1/syncs/companies?override=true");
    expect(deleted).toMatchObject({ status: 409, body: { code: "in_use" } });
  });
});

describe("a sync that is paused", () => {
  test("begins no run, whoever asks; and runs again when it is resumed", async () => {
    expect((await service.ask("POST", "/v1/syncs/second/pause")).body).toMatchObject({ sync: "second", paused: true });
    expect(await service.ask("POST", "/v1/syncs/second/runs")).toMatchObject({
      status: 409,
      body: { code: "sync_paused", hint: expect.stringContaining("sluice resume second") },
    });
    const { run } = await service.run();
    expect(syncsOf(await followers(run, 1))).toEqual(["always"]);
    expect((await service.ask("POST", "/v1/syncs/second/resume")).body).toMatchObject({ paused: false });
    const next = await service.run();
    expect(syncsOf(await followers(next.run, 2))).toEqual(["always", "second"]);
    expect((await service.ask("POST", "/v1/syncs/seccond/pause")).status).toBe(404);
  });

  test("finishes what is under way", async () => {
    await business.fault({ path: "/batch/", fault: { kind: "delay", ms: 1500 } });
    const { run } = await service.run("second", { kind: "full" });
    await service.settled(run, /sending/);
    await service.ask("POST", "/v1/syncs/second/pause");
    expect(await service.settled(run)).toMatchObject({ status: "succeeded", accepted: 8 });
    await service.ask("POST", "/v1/syncs/second/resume");
  });
});

describe("after dbt", () => {
  const results = (status: string): object[] => [
    { unique_id: "model.shop.accounts", status, relation_name: '"warehouse"."main"."Accounts"' },
    { unique_id: "model.shop.other", status: "success", relation_name: '"warehouse"."main"."other"' },
  ];

  test("those syncs run whose models were rebuilt, and each says why or why not", async () => {
    const answer = await service.ask("POST", "/v1/dbt/results", { results: results("success") });
    const { data } = answer.body as { data: readonly { sync: string; run: string | null; reason: string }[] };
    expect(data.map((one) => [one.sync, one.reason])).toEqual(
      ["always", "companies", "second"].map((name) => [name, "dbt rebuilt model.shop.accounts"]),
    );
    for (const { run } of data) expect(await service.settled(run ?? "")).toMatchObject({ status: "succeeded" });
    const failed = await service.ask("POST", "/v1/dbt/results", { results: results("error") });
    expect(failed.body).toMatchObject({
      data: [{ run: null, reason: "dbt's model.shop.accounts ended with error" }, {}, {}],
    });
    const absent = await service.ask("POST", "/v1/dbt/results", { results: [] });
    expect(absent.body).toMatchObject({ data: [{ run: null, reason: "dbt did not build its model" }, {}, {}] });
  });

  test("the command reads dbt's run_results.json, in place as well", async () => {
    await service.stop();
    const file = join(business.folder, "run_results.json");
    writeFileSync(file, JSON.stringify({ metadata: {}, results: results("success") }));
    const { code, stdout, stderr } = await business.sluice(["--json", "dbt", "ran", "--run-results", file]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runs: [{ status: "succeeded" }, {}, {}] });
    const wrong = await business.sluice(["dbt", "ran", "--run-results", join(business.folder, "workspace.yaml")]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("is not what dbt writes")]);
    service = await business.start();
  });
});
