/**
 * The memory of a whole run: `sluice run` in a process of its own, on 1,000,000 rows of 12 columns of which 1% changed,
 * control store on Postgres, HubSpot's sandbox without limits in this process.
 *
 *   node test/bench/memory.ts [--rows 1000000]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import { loadWorkspace } from "../../src/documents/load.ts";
import { resolveSync } from "../../src/documents/resolve.ts";
import { plannerName } from "../../src/operations/connect.ts";
import { openRegistry } from "../../src/registry.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { readColumns } from "../../src/sync/fit.ts";
import { planRequest } from "../../src/sync/plan.ts";
import type { OutcomeRow } from "../../src/warehouse.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import { startPostgres } from "../postgres.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
const rows = Number(values.rows);

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const warehouse = join(folder, "bench.duckdb");
const columns = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10"];
const properties = {
  companies: [
    { name: "account_id", type: "string", hasUniqueValue: true },
    ...columns.map((name) => ({ name, type: "string" })),
  ],
};

writeFileSync(
  join(folder, "workspace.yaml"),
  `kind: source
name: warehouse
type: duckdb
connection: { path: "${warehouse}" }
---
kind: model
name: accounts
source: warehouse
table: accounts
key: id
---
kind: destination
name: hubspot
type: hubspot
connection: { access_token: bench, base_url: "\${env:HUBSPOT}" }
---
kind: sync
name: companies
from: { model: accounts }
to: { destination: hubspot, object: companies }
mode: upsert
match: { account_id: id }
fields: { ${columns.map((name) => `${name}: ${name}`).join(", ")} }
`,
);

async function sql(...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(warehouse);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

interface Measured {
  readonly run: { status: string; accepted: number; requests: number; seconds: number };
  readonly seconds: number;
  readonly peakMb: number;
}

async function run(environment: NodeJS.ProcessEnv): Promise<Measured> {
  const from = performance.now();
  const command = join(import.meta.dirname, "../../src/cli/sluice.js");
  const child = spawn(command, ["--dir", folder, "--json", "run", "companies"], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  let peakMb = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const sampling = setInterval(() => {
    const high = /VmHWM:\s+(\d+) kB/.exec(readStatus(child.pid))?.[1];
    if (high) peakMb = Number(high) / 1024;
  }, 50);
  await once(child, "close");
  clearInterval(sampling);
  return { run: JSON.parse(out), seconds: (performance.now() - from) / 1000, peakMb };
}

function readStatus(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

/** Makes state hold every row, as a first run would: sending a million rows at HubSpot's pace takes eleven minutes. */
async function adopt(environment: NodeJS.ProcessEnv): Promise<void> {
  const registry = await openRegistry();
  const kinds = await registry.mappingKinds();
  const { documents } = await loadWorkspace(folder, registry);
  const { spec, source, destination } = resolveSync(documents, "companies", kinds);
  const opened = duckdb.connect(duckdb.connection.parse(source.connection), {
    planner: { in: "warehouse", schema: "sluice" },
    workspace: folder,
  });
  const planner = opened.planner(plannerName(spec, `${destination.name} ${environment["HUBSPOT"]}`));
  const run = { id: "adopt", fence: 0 };
  const now = new Date();
  const columns = readColumns(spec, await opened.columns(spec.model), kinds);
  await planner.plan(planRequest(spec, { ...run, kind: "changes", keys: [] }, columns, { connection: {}, now }));
  await planner.record(run, acceptedPages());
  await planner.commit(run, { now, backOff: { firstMs: 1000, maxMs: 1000 } });
  await opened.close();
}

function* acceptedPages(): Generator<readonly OutcomeRow[]> {
  for (let from = 1; from <= rows; from += 10_000) {
    const length = Math.min(10_000, rows - from + 1);
    const seqs = Array.from({ length }, (_, at) => from + at);
    yield seqs.map((seq) => ({ seq, kind: "accepted", recordHash: "-", destinationId: String(seq) }));
  }
}

const postgres = await startPostgres();
const sandbox = await serveSandbox(createSandbox({ limits: false, seed: { properties } }));
try {
  const environment = { ...process.env, HUBSPOT: sandbox.url, SLUICE_DATABASE_URL: await postgres.database() };
  await sql(
    `create table accounts as select 'A' || i as id, ${columns.map((name, at) => `'value ' || ((i * ${at + 7}) % 100003) as ${name}`).join(", ")}, i % 7 as spare from range(${rows}) r(i)`,
  );
  const command = join(import.meta.dirname, "../../src/cli/sluice.js");
  await once(spawn(command, ["--dir", folder, "apply"], { env: environment, stdio: "ignore" }), "close");
  await adopt(environment);
  console.log(`a run of ${rows.toLocaleString("en")} rows × 12 columns, control store on Postgres`);
  for (const [name, change] of [
    ["1% changed", "update accounts set c1 = 'new' where hash(id) % 100 = 7"],
    ["nothing changed", ""],
  ] as const) {
    if (change !== "") await sql(change);
    const { run: ended, seconds, peakMb } = await run(environment);
    console.log(
      `  ${name}: ${ended.status}, ${ended.accepted.toLocaleString("en")} accepted in ${ended.requests} requests, ${seconds.toFixed(1)} s, peak memory of the process ${peakMb.toFixed(0)} MB`,
    );
  }
} finally {
  await sandbox.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
