/** Many runs at once: none keeps the others from theirs, however slow its destination is. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import { serveSandbox, type ServedSandbox } from "../../src/serve-sandbox.ts";
import { Business, type RunJson, type RunningService } from "./business.ts";

const slowSyncs = 30;

const sync = (name: string, destination: string): string => `---
kind: sync
name: ${name}
from: { model: accounts }
to: { destination: ${destination}, object: companies }
mode: upsert
match: { account_id: id }
fields: { name: name }
`;

let other: ServedSandbox;
let business: Business;
let service: RunningService;
beforeAll(async () => {
  business = await Business.open(100);
  const properties = { companies: [{ name: "account_id", type: "string", hasUniqueValue: true }] };
  other = await serveSandbox(createSandbox({ limits: false, seed: { properties } }));
  const quick = `---
kind: destination
name: quick
type: hubspot
connection: { access_token: any, base_url: "${other.url}" }
`;
  const names = Array.from({ length: slowSyncs }, (_, n) => `slow-${n}`);
  const syncs = [...names.map((name) => sync(name, "hubspot")), sync("small", "quick")];
  business.write("workspace.yaml", `${business.read("workspace.yaml")}${quick}${syncs.join("")}`);
  service = await business.start();
});
afterAll(async () => {
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
  await other?.close();
});

async function statuses(): Promise<readonly (RunJson & { sync: string })[]> {
  return ((await service.ask("GET", "/v1/runs?limit=200")).body as { data: readonly (RunJson & { sync: string })[] })
    .data;
}

test("a sync to another destination goes ahead of thirty that wait for a slow one; of those all come to their turn", async () => {
  await business.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: 10_000 } });
  for (let n = 0; n < slowSyncs; n += 1) await service.run(`slow-${n}`);
  const underWay = async (): Promise<number> => (await statuses()).filter(({ status }) => status === "sending").length;
  await expect.poll(underWay, { timeout: 20_000 }).toBeGreaterThan(3);
  const { run } = await service.run("small");
  expect(await service.settled(run)).toMatchObject({ status: "succeeded", accepted: 100 });
  const slow = (await statuses()).filter((one) => one.sync.startsWith("slow-"));
  expect(slow.filter(({ status }) => status === "queued").length).toBeGreaterThan(slowSyncs / 2);
  expect(slow.filter(({ status }) => status === "succeeded").length).toBeLessThanOrEqual(6);
  await business.clearFaults();
  const from = performance.now();
  while ((await statuses()).some(({ status }) => status !== "succeeded")) {
    if (performance.now() - from > 100_000) throw new Error(JSON.stringify(await statuses()));
    await sleep(200);
  }
}, 180_000);
