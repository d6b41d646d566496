/**
 * The memory of a worker on Postgres and Redis, as it is idle and at its peak while it sends so many changes, and ten times
 * as many: small rows from Postgres, in batches of a hundred, to a service on loopback. Each number has a worker of its own.
 *
 *   node test/bench/worker.ts [--rows 1000000]
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { startPostgres } from "../postgres.ts";
import { startRedis } from "../redis.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
const few = Number(values.rows);
const sizes = [few, 10 * few];
const command = join(import.meta.dirname, "../../src/cli/sluice.js");
const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));

const workspace = `kind: source
name: warehouse
type: postgres
connection: { url: "\${env:WAREHOUSE}" }
---
kind: destination
name: service
type: http
connection:
  base_url: "\${env:SERVICE}"
  auth: none
  objects:
    accounts:
      match: id
      fields: { plan: text }
      batch: { records: 100 }
      answers:
        - status: 200
          means: results
          lists: [{ at: /results, by: { id: /id }, items: [{ when: { at: /ok, is: true }, means: accepted }] }]
      operations:
        upsert: { method: POST, path: /accounts, per: batch, item: { id: "{{ match.id }}", values: "{{ record }}" }, body: { records: "{{ items }}" } }
${sizes
  .map(
    (rows) => `---
kind: model
name: rows-${rows}
source: warehouse
sql: select 'A' || id as id, case id % 3 when 0 then 'free' else 'pro' end as plan from generate_series(1, ${rows}) as t(id)
key: id
---
kind: sync
name: sync-${rows}
from: { model: rows-${rows} }
to: { destination: service, object: accounts }
mode: upsert
match: { id: id }
fields: { plan: plan }
`,
  )
  .join("")}`;

interface Run {
  readonly run: string;
  readonly status: string;
  readonly accepted: number;
  readonly seconds: number;
}

/** Starts a role of the service and waits until it says that it works. */
async function start(role: "api" | "worker", environment: NodeJS.ProcessEnv): Promise<ChildProcess & { url: string }> {
  const child = spawn(command, ["--dir", folder, "start", "--role", role, "--port", "0"], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  while (!/Sluice (listens|works)/.test(said)) await sleep(50);
  return Object.assign(child, { url: /listens on (http:\/\/\S+)\./.exec(said)?.[1] ?? "" });
}

/** What a process has resident, in MB: now, or the most that it ever had. */
function resident(pid: number | undefined, what: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) / 1024;
}

async function ended(url: string, sync: string): Promise<Run> {
  let { run, ...seen } = await ask<Run>("POST", `${url}/v1/syncs/${sync}/runs`);
  while (!/succeeded|partial|failed|held/.test(seen.status)) {
    await sleep(250);
    ({ run, ...seen } = await ask<Run>("GET", `${url}/v1/runs/${run}`));
  }
  return { run, ...seen };
}

async function ask<Answer>(method: string, url: string): Promise<Answer> {
  return (await (await fetch(url, { method })).json()) as Answer;
}

const receiver = fork(join(import.meta.dirname, "send.ts"), ["--serve"]);
const [service] = (await once(receiver, "message")) as [string];
const postgres = await startPostgres();
const redis = await startRedis();
try {
  writeFileSync(join(folder, "workspace.yaml"), workspace);
  const environment = {
    PATH: process.env["PATH"],
    SERVICE: service,
    WAREHOUSE: await postgres.database(),
    SLUICE_DATABASE_URL: await postgres.database(),
    SLUICE_REDIS_URL: redis.url,
  };
  const owner = new pg.Client({ connectionString: environment.WAREHOUSE });
  await owner.connect();
  await owner.query("create schema sluice");
  await owner.end();
  await once(spawn(command, ["--dir", folder, "apply"], { env: environment, stdio: "ignore" }), "close");
  const api = await start("api", environment);
  const peaks: number[] = [];
  for (const rows of sizes) {
    const worker = await start("worker", environment);
    await sleep(1000);
    const idle = resident(worker.pid, "VmRSS");
    const { status, accepted, seconds } = await ended(api.url, `sync-${rows}`);
    const peak = resident(worker.pid, "VmHWM");
    peaks.push(peak);
    const rate = Math.round(accepted / seconds).toLocaleString("en");
    console.log(
      `worker: ${accepted.toLocaleString("en")} changes ${status}, ${rate} rows/s of the whole run; ${idle.toFixed(0)} MB resident idle, ${peak.toFixed(0)} MB at its peak`,
    );
    worker.kill();
    await once(worker, "close");
  }
  api.kill();
  await once(api, "close");
  const [one = 0, ten = 0] = peaks;
  console.log(`  ten times as many changes take ${(ten / one).toFixed(2)} times the memory`);
  if (one > 256 || ten > 1.1 * one) process.exitCode = 1;
} finally {
  receiver.kill();
  await Promise.all([postgres.stop(), redis.stop()]);
  rmSync(folder, { recursive: true, force: true });
}
