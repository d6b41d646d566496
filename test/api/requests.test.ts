/** What a run has asked of its destination, for whoever wonders: forms and failures, never a value. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Recorder, withoutValues } from "../../src/connection/record.ts";
import type { ExchangeView } from "../../src/operations/run-schemas.ts";
import { Business, type RunningService } from "../end-to-end/business.ts";

let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(500);
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

async function requestsOf(run: string): Promise<readonly ExchangeView[]> {
  const { body } = await service.ask("GET", `/v1/runs/${run}/requests?limit=500`);
  return (body as { data: readonly ExchangeView[] }).data;
}

test("the first requests and those that failed are shown, in order, with their form and no value", async () => {
  await business.fault({ path: "/batch/", times: 2, fault: { kind: "status", status: 503 } });
  const { run } = await service.run();
  expect(await service.settled(run)).toMatchObject({ status: "succeeded", accepted: 400 });
  const requests = await requestsOf(run);
  expect(requests.filter(({ status }) => status === 503)).toHaveLength(2);
  const upsert = requests.find(({ path, status }) => path.endsWith("/batch/upsert") && status === 200);
  expect(upsert?.request).toContain('"name":"text of');
  expect(upsert?.request).toContain("and 99 more");
  expect(upsert?.answer).toContain('"results"');
  expect(JSON.stringify(requests)).not.toMatch(/Account \d|right-token|A1\b/);
  const { stdout } = await business.sluice(["requests", run]);
  expect(stdout).toContain("POST /crm/objects/2026-09/companies/batch/upsert  503");
});

test("a refusal is shown in the vendor's own words, without the credential", async () => {
  const body = { category: "VALIDATION_ERROR", message: "The token right-token may not do this" };
  await business.fault({ path: "/batch/", times: null, fault: { kind: "status", status: 400, body } });
  const { run } = await service.run("companies", { kind: "keys", keys: ["A1"] });
  await service.settled(run);
  await business.clearFaults();
  expect((await requestsOf(run)).at(-1)).toMatchObject({
    status: 400,
    answer: expect.stringContaining("The token [redacted] may not") as string,
  });
});

test("the requests of a run that is under way can be looked at", async () => {
  await business.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: 4500 } });
  const { run } = await service.run("companies", { kind: "full" });
  for (const deadline = Date.now() + 15_000; (await requestsOf(run)).length === 0;)
    expect(Date.now()).toBeLessThan(deadline);
  expect(await service.ask("GET", `/v1/runs/${run}`)).toMatchObject({ body: { ended_at: null } });
  await business.clearFaults();
  await service.settled(run);
});

test("of many requests only a sample is kept, and of failures no more than fifty", async () => {
  const recorder = new Recorder(() => new Date(0));
  const exchange = { method: "POST", path: "/people/a@b.example", ms: 1, body: null, answer: null, failure: "no" };
  for (let n = 0; n < 1000; n += 1) recorder.note({ ...exchange, status: 200 });
  for (let n = 0; n < 1000; n += 1) recorder.note({ ...exchange, status: 500 });
  const kept = await recorder.take();
  expect([kept.filter(({ status }) => status === 200).length, kept.length]).toEqual([15, 65]);
  expect(new Set(kept.map(({ path }) => path))).toEqual(new Set(["/people/…"]));
  expect(await recorder.take()).toEqual([]);
});

test("a request in another protocol, which has no status, is a failure when it failed", async () => {
  const recorder = new Recorder(() => new Date(0));
  const exchange = { method: "upsert", path: "public.accounts", status: null, ms: 1, body: null, answer: null };
  for (let n = 0; n < 100; n += 1) recorder.note({ ...exchange, failure: null });
  for (let n = 0; n < 10; n += 1) recorder.note({ ...exchange, failure: "40P01" });
  const kept = await recorder.take();
  expect([kept.filter(({ answer }) => answer === null).length, kept.length]).toEqual([6, 16]);
});

test("of a body only names and form are left", () => {
  const body = { email: "a@b.example", age: 41, tags: ["a", "b"], none: [], vip: true, nested: { x: null } };
  expect(JSON.parse(withoutValues(JSON.stringify(body)))).toEqual({
    email: "text of 11",
    age: "number",
    tags: ["text of 1", "and 1 more"],
    none: [],
    vip: true,
    nested: { x: null },
  });
  expect(withoutValues("grant_type=secret")).toBe("17 characters");
});
