/**
 * Sending beside the bare loop of the same HTTP client: rows in batches of a hundred to a service on loopback that takes
 * them at once and names each row in its answer. Both as the service counts, from its first request to its last. The bare
 * loop has the guarded fetch that adapters are given, as many requests at a time as a run, bodies that were made before,
 * and reads and parses every answer; it reads no warehouse, maps nothing, and keeps no account of what became of a row.
 * With the peak of the process's memory, and how long an idle embedded service takes from an ask to its first request.
 *
 *   node test/bench/send.ts [--rows 300000] [--store postgres|embedded] [--source duckdb|postgres]
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import pg from "pg";
import { createFetch } from "../../src/fetch.ts";
import { Business } from "../end-to-end/business.ts";
import { startPostgres } from "../postgres.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    store: { type: "string", default: "postgres" },
    source: { type: "string", default: "duckdb" },
    serve: { type: "boolean", default: false },
  },
});
const rows = Number(values.rows);
const batch = 100;
const atATime = 4;

/** What the service has seen. */
interface Seen {
  readonly rows: number;
  readonly requests: number;
  /** From the first request to the last answer. */
  readonly ms: number;
}

interface Sent {
  readonly records: readonly { readonly id: string }[];
}

/** In a process of its own, so that what is measured is the sender. */
function serve(): void {
  let seen = { rows: 0, requests: 0, from: 0, until: 0 };
  const server = createServer((asked, answer) => {
    void read(asked).then((text) => {
      if (asked.url === "/peek") return void answer.end(JSON.stringify(seen));
      if (asked.url === "/seen") {
        answer.end(JSON.stringify({ ...seen, ms: seen.until - seen.from }));
        seen = { rows: 0, requests: 0, from: 0, until: 0 };
        return;
      }
      const at = performance.now();
      const { records } = JSON.parse(text) as Sent;
      answer.setHeader("content-type", "application/json");
      answer.end(JSON.stringify({ results: records.map(({ id }) => ({ id, ok: true })) }));
      const from = seen.from === 0 ? at : seen.from;
      seen = { rows: seen.rows + records.length, requests: seen.requests + 1, from, until: performance.now() };
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object" && address) process.send?.(`http://127.0.0.1:${address.port}`);
  });
}

async function read(asked: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of asked) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const connections: Readonly<Record<string, string>> = {
  duckdb: 'type: duckdb\nconnection: { path: "${env:WAREHOUSE}" }',
  postgres: 'type: postgres\nconnection: { url: "${env:WAREHOUSE}" }',
};

const workspace = (source: string): string => `kind: source
name: warehouse
${connections[source] ?? ""}
---
kind: model
name: accounts
source: warehouse
table: accounts
key: id
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
      fields: { name: text, mrr: number, plan: text, seats: integer, country: text, since: date }
      batch: { records: ${batch} }
      answers:
        - status: 200
          means: results
          lists: [{ at: /results, by: { id: /id }, items: [{ when: { at: /ok, is: true }, means: accepted }] }]
      operations:
        upsert:
          method: POST
          path: /accounts
          per: batch
          item: { id: "{{ match.id }}", values: "{{ record }}" }
          body: { records: "{{ items }}" }
---
kind: sync
name: accounts
from: { model: accounts }
to: { destination: service, object: accounts }
mode: upsert
match: { id: id }
fields: { name: name, mrr: mrr, plan: { template: "{{ plan | upcase }}" }, seats: seats, country: country, since: since }
`;

async function seenBy(url: string): Promise<Seen> {
  return (await (await fetch(`${url}/seen`)).json()) as Seen;
}

/** Posts bodies that were made before, as many at a time as a run does. */
async function bareLoop(url: string): Promise<Seen> {
  const adapter = { title: "HTTP service" };
  const client = createFetch({
    name: "service",
    adapter,
    secrets: [],
    allowed: ["127.0.0.1"],
    clock: { now: () => new Date() },
  });
  const bodies = Array.from({ length: 50 }, (_, n) => preparedBody(n));
  let left = Math.ceil(rows / batch);
  const post = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const body = bodies[left % bodies.length] ?? "";
      const headers = { "content-type": "application/json" };
      const answer = await client.fetch(`${url}/accounts`, { method: "POST", headers, body });
      const { results } = (await answer.json()) as { readonly results: readonly unknown[] };
      if (results.length !== batch) throw new Error(`an answer named ${results.length} rows`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, post));
  await client.close();
  return await seenBy(url);
}

function preparedBody(n: number): string {
  const records = Array.from({ length: batch }, (_, i) => ({
    id: `A${n * batch + i}`,
    values: { name: `Account ${i}`, mrr: i + 0.5, plan: "PRO", seats: i, country: "DE", since: "2026-01-01" },
  }));
  return JSON.stringify({ records });
}

interface Ran {
  readonly accepted: number;
  readonly seconds: number;
}

/** A run in a process of its own, and the most memory that it had resident. */
async function runMeasured(business: Business): Promise<Ran & { readonly peakMb: number }> {
  const command = join(import.meta.dirname, "../../src/cli/sluice.js");
  const child = spawn(command, ["--dir", business.folder, "--json", "run", "accounts"], {
    env: { PATH: process.env["PATH"], ...business.environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let peakMb = 0;
  const look = setInterval(() => {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
    peakMb = Math.max(peakMb, Number(found?.[1] ?? 0) / 1024);
  }, 100);
  child.once("exit", () => clearInterval(look));
  return { ...(JSON.parse(await text(child.stdout)) as Ran), peakMb };
}

/** Rows of seven columns, in either warehouse's SQL. */
function rowsQuery(series: string): string {
  return `select 'A' || id as id, 'Account ' || id as name, cast(id + 0.5 as decimal(12, 2)) as mrr,
    case id % 3 when 0 then 'free' when 1 then 'pro' else 'team' end as plan, id % 500 as seats,
    case id % 3 when 0 then 'DE' when 1 then 'FR' else 'US' end as country,
    date '2026-01-01' + cast(id % 300 as integer) as since from ${series}`;
}

async function fill(business: Business, postgresUrl: string): Promise<void> {
  if (values.source === "duckdb") {
    await business.sql(`create or replace table accounts as ${rowsQuery(`range(${rows}) t(id)`)}`);
    return;
  }
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  await client.query(`create table accounts as ${rowsQuery(`generate_series(1, ${rows}) as t(id)`)}`);
  await client.query("create schema if not exists sluice");
  await client.query("analyze accounts");
  await client.end();
  business.environment["WAREHOUSE"] = postgresUrl;
}

/** From the ask to the first request, for a row that has changed; in ms, of several tries. */
async function latencies(url: string): Promise<readonly number[]> {
  await using business = await Business.open(1);
  business.write("workspace.yaml", workspace("duckdb"));
  business.environment["SERVICE"] = url;
  await business.sql(`create or replace table accounts as ${rowsQuery("range(1000) t(id)")}`);
  await using service = await business.start();
  const found: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    const asked = performance.now();
    const { run } = await service.run("accounts", { kind: "full" });
    while (((await (await fetch(`${url}/peek`)).json()) as Seen).requests === 0);
    found.push(Math.round(performance.now() - asked));
    await service.settled(run);
    await seenBy(url);
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  return found;
}

async function measure(): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ["--serve"]);
  const [url] = (await once(server, "message")) as [string];
  const postgres = await startPostgres();
  const business = await Business.open(1);
  try {
    business.write("workspace.yaml", workspace(values.source));
    await fill(business, await postgres.database());
    business.environment["SERVICE"] = url;
    if (values.store === "postgres") {
      business.environment["SLUICE_DATABASE_URL"] = await postgres.database();
      await business.sluice(["apply", business.folder]);
    }
    await bareLoop(url);
    const bare = await bareLoop(url);
    const run = await runMeasured(business);
    const ours = await seenBy(url);
    const perSecond = (seen: Seen): number => Math.round((seen.rows / seen.ms) * 1000);
    console.log(`send: ${run.accepted} rows from ${values.source} in ${ours.requests} requests, store ${values.store}`);
    console.log(
      `  ${perSecond(ours)} rows/s while sending, ${Math.round(run.accepted / run.seconds)} rows/s of the whole run; the bare loop ${perSecond(bare)} rows/s: ratio ${(perSecond(ours) / perSecond(bare)).toFixed(2)}; peak memory ${run.peakMb.toFixed(0)} MB`,
    );
    console.log(`  from an ask to the first request, idle and embedded: ${(await latencies(url)).join(", ")} ms`);
    if (perSecond(ours) < 20_000) process.exitCode = 1;
  } finally {
    server.kill();
    await business[Symbol.asyncDispose]();
    await postgres.stop();
  }
}

if (values.serve) serve();
else await measure();
