/** No credential leaves the service but to the vendor that it is for: not in an answer, not in the log. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Business, type RunJson, type RunningService } from "../end-to-end/business.ts";

const token = "right-token";
const written = "written-out-token";

/** What a vendor says when it repeats the credential that it was given. */
const echo = { category: "VALIDATION_ERROR", message: `The token ${token} may not do this` };

let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(20);
  service = await business.start([], { SLUICE_LOG_LEVEL: "trace" });
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
});

test("nothing secret is in any answer or log line, even where the vendor repeats it", async () => {
  const answers: string[] = [];
  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await service.ask(method, path, body);
    answers.push(`${method} ${path} ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const crm = { kind: "destination", name: "crm", type: "hubspot", connection: { access_token: written } };
  await ask("POST", "/v1/workspace", { documents: [crm] });
  const wrong = { ...crm, connection: { access_token: written, base_url: `no address, ${written}` } };
  await ask("POST", "/v1/workspace", { documents: [wrong] });

  for (const status of [401, 400]) {
    await business.fault({ path: "/", times: null, fault: { kind: "status", status, body: echo } });
    await ask("POST", "/v1/destinations/hubspot/check");
    await ask("GET", "/v1/destinations/hubspot/objects/companies");
    await ask("POST", "/v1/syncs/companies/plan", {});
    await business.clearFaults();
  }
  await business.fault({ path: "/batch/", times: null, fault: { kind: "status", status: 400, body: echo } });
  const { run } = (await ask("POST", "/v1/syncs/companies/runs", {})) as RunJson;
  expect(await service.settled(run)).toMatchObject({ accepted: 0, rejected: 16 });
  for (const path of ["/v1/runs", `/v1/runs/${run}`, `/v1/runs/${run}/rejections`, "/v1/syncs"]) await ask("GET", path);
  await business.clearFaults();
  await ask("POST", "/v1/sources/warehouse/check");
  await ask("GET", "/v1/destinations/hubspot/objects");

  const repeated = answers.filter((answer) => answer.includes("[redacted]"));
  expect(repeated.length).toBeGreaterThan(4);
  for (const secret of [token, written]) {
    expect(answers.filter((answer) => answer.includes(secret))).toEqual([]);
    expect(service.output.split("\n").filter((line) => line.includes(secret))).toEqual([]);
  }
});

test("nor in the words of a command that talks to the service", async () => {
  await business.fault({ path: "/", times: null, fault: { kind: "status", status: 401, body: echo } });
  const checked = await business.sluice(["check", "hubspot"]);
  expect(checked.code).toBe(1);
  expect(checked.stdout + checked.stderr).toContain("[redacted]");
  const ran = await business.sluice(["run", "companies", "--full"]);
  expect(ran.code).toBe(1);
  expect([checked, ran].map(({ stdout, stderr }) => stdout + stderr).join("\n") + service.output).not.toContain(token);
});
