/**
 * Webhooks under load: 1,000 signed deliveries a second for ten seconds, control store on Postgres, each naming one row.
 * Then every row that was named must have been sent again, and few runs must have done it.
 *
 *   node test/bench/webhooks.ts [--rate 1000] [--seconds 10]
 */
import { createHmac } from "node:crypto";
import { parseArgs } from "node:util";
import { Business } from "../end-to-end/business.ts";
import { startPostgres } from "../postgres.ts";
import { ask, told } from "./load.ts";

const { values } = parseArgs({
  options: { rate: { type: "string", default: "1000" }, seconds: { type: "string", default: "10" } },
});
const perSecond = Number(values.rate);
const seconds = Number(values.seconds);
const total = perSecond * seconds;
const secret = "YS1iZW5jaG1hcmstc2VjcmV0LW9m";

const postgres = await startPostgres();
const business = await Business.open(total);
try {
  const trigger = `---
kind: trigger
name: rows
sync: companies
webhook: { scheme: standard_webhooks, secrets: ["\${env:HOOK}"] }
keys: "$.id"
`;
  business.write("workspace.yaml", `${business.read("workspace.yaml")}${trigger}`);
  Object.assign(business.environment, { HOOK: secret, SLUICE_DATABASE_URL: await postgres.database() });
  await business.sluice(["apply", business.folder]);
  const service = await business.start();
  const { data } = (await service.ask("GET", "/v1/triggers")).body as { data: readonly { path: string }[] };
  const path = data[0]?.path ?? "";
  const first = await service.settled((await service.run()).run);

  const answered = await ask({
    url: service.url,
    perSecond,
    seconds,
    request: (index) => {
      const body = JSON.stringify({ id: `A${index + 1}` });
      const timestamp = String(Math.floor(Date.now() / 1000));
      const mac = createHmac("sha256", Buffer.from(secret, "base64")).update(`d${index}.${timestamp}.${body}`);
      const signature = `v1,${mac.digest("base64")}`;
      const headers = {
        "content-type": "application/json",
        "webhook-id": `d${index}`,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
      };
      return { method: "POST", path, headers, body };
    },
  });

  const runs = await ended(service);
  const sent = runs.reduce((sum, run) => sum + run.accepted, 0);
  const unsent = runs.reduce((sum, run) => sum + run.not_found, 0);
  console.log(`webhooks: ${perSecond}/s for ${seconds} s, control store on Postgres\n  ${told(answered)}`);
  console.log(
    `  ${runs.length} runs sent ${sent} records again; of ${total} named rows ${total - first.accepted} are not in the segment (${unsent} counted as not found)`,
  );
  if ((answered.statuses[202] ?? 0) !== total) process.exitCode = 1;
  if (runs.every(({ kind }) => kind === "keys") && sent !== first.accepted) process.exitCode = 1;
  await service.stop();
} finally {
  await business[Symbol.asyncDispose]();
  await postgres.stop();
}

/** The runs that the webhooks asked for, once they have ended. */
async function ended(service: Awaited<ReturnType<Business["start"]>>) {
  const { body } = await service.ask("GET", "/v1/runs?limit=100");
  const { data } = body as { data: readonly { run: string; trigger: string }[] };
  const webhooks = data.filter(({ trigger }) => trigger === "webhook rows");
  return await Promise.all(webhooks.map(({ run }) => service.settled(run)));
}
