/**
 * A known limit, used by several processes together: HubSpot's 190 requests in ten seconds, eight syncs under one
 * credential, control store and warehouse on Postgres. As the sandbox counts them: how much of the limit was used, whether any
 * span of ten seconds saw more, and how many requests were answered 429. `--syncs 1 --delay 700`: by one sync alone, to a
 * HubSpot that takes its time.
 *
 *   node test/bench/pacing.ts [--workers 1,2,4] [--seconds 40] [--syncs 8] [--delay 0]
 */
import { parseArgs } from "node:util";
import pg from "pg";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { Business } from "../end-to-end/business.ts";
import { startPostgres } from "../postgres.ts";

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "1,2,4" },
    seconds: { type: "string", default: "40" },
    syncs: { type: "string", default: "8" },
    delay: { type: "string", default: "0" },
  },
});
const seconds = Number(values.seconds);
const limit = { requests: 190, perMs: 10_000 };
const syncs = Number(values.syncs);
const delayMs = Number(values.delay);

/** The requests that a sandbox was asked, and how many it refused for its limit. */
interface Asked {
  readonly times: number[];
  refused: number;
}

async function serveCounted(asked: Asked) {
  const properties = { companies: [{ name: "account_id", type: "string", hasUniqueValue: true }] };
  const sandbox = createSandbox({ limits: true, seed: { properties } });
  const served = await serveSandbox({
    ...sandbox,
    handle: (request) => {
      asked.times.push(performance.now());
      const answer = sandbox.handle(request);
      if (answer.status === 429) asked.refused += 1;
      return answer;
    },
  });
  const slow = [{ path: "/batch/", times: null, fault: { kind: "delay", ms: delayMs } }];
  if (delayMs > 0) await fetch(`${served.url}/_sandbox/faults`, { method: "POST", body: JSON.stringify(slow) });
  return served;
}

const workspace = (rows: number): string => `kind: source
name: warehouse
type: postgres
connection: { url: "\${env:WAREHOUSE}" }
---
kind: model
name: accounts
source: warehouse
sql: select 'A' || id as id, 'Account ' || id as name from generate_series(1, ${rows}) id
key: id
---
kind: destination
name: hubspot
type: hubspot
connection: { access_token: bench, base_url: "\${env:HUBSPOT}" }
pace: { share: 1 }
${Array.from(
  { length: syncs },
  (_, n) => `---
kind: sync
name: sync-${n}
from: { model: accounts }
to: { destination: hubspot, object: companies }
mode: upsert
match: { account_id: id }
fields: { name: name }
`,
).join("")}`;

async function measure(workers: number, databaseUrl: string, warehouseUrl: string): Promise<void> {
  const asked: Asked = { times: [], refused: 0 };
  const hubspot = await serveCounted(asked);
  const business = await Business.open(1);
  try {
    // More than the limit lets through in the time, by the syncs that one worker does at once.
    const rows = Math.ceil(((limit.requests / limit.perMs) * (seconds + 30) * 1000 * 100) / Math.min(4, syncs));
    business.write("workspace.yaml", workspace(rows));
    Object.assign(business.environment, {
      HUBSPOT: hubspot.url,
      WAREHOUSE: warehouseUrl,
      SLUICE_DATABASE_URL: databaseUrl,
    });
    const applied = await business.sluice(["apply", business.folder]);
    if (applied.code !== 0) throw new Error(applied.stderr);
    const api = await business.start(["--role", "api"]);
    for (let n = 0; n < syncs; n += 1) await api.run(`sync-${n}`);
    const services = await Promise.all(Array.from({ length: workers }, () => business.start(["--role", "worker"])));
    // They have planned, and the first burst is over.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    const [from, before] = [performance.now(), asked.refused];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const until = performance.now();
    const times = asked.times.filter((at) => at >= from && at < until);
    const used = times.length / (((until - from) / limit.perMs) * limit.requests);
    const most = mostIn(asked.times, limit.perMs);
    const refused = (asked.refused - before) / Math.max(1, times.length);
    console.log(
      `  ${workers} worker${workers > 1 ? "s" : ""}: ${(used * 100).toFixed(1)} % of the limit used, at most ${most} of ${limit.requests} in any ten seconds, ${(refused * 100).toFixed(2)} % answered 429`,
    );
    if (used < 0.97 || most > limit.requests || refused > 0.001) process.exitCode = 1;
    await Promise.all([api, ...services].map((service) => service.stop("SIGKILL")));
  } finally {
    await business[Symbol.asyncDispose]();
    await hubspot.close();
  }
}

/** The most times in any span. */
function mostIn(times: readonly number[], spanMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last += 1) {
    while ((times[last] ?? 0) - (times[first] ?? 0) >= spanMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

const postgres = await startPostgres();
try {
  const slowly = delayMs > 0 ? `, each answered after ${delayMs} ms` : "";
  console.log(
    `pacing: HubSpot's 190 requests in ten seconds${slowly}, ${syncs} sync${syncs > 1 ? "s" : ""} under one credential, ${seconds} s`,
  );
  for (const workers of values.workers.split(",").map(Number)) {
    const warehouse = await postgres.database();
    const client = new pg.Client({ connectionString: warehouse });
    await client.connect();
    await client.query("create schema if not exists sluice");
    await client.end();
    await measure(workers, await postgres.database(), warehouse);
  }
} finally {
  await postgres.stop();
}
