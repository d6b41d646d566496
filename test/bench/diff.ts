/**
 * What planning costs beside the bare SQL join in the same engine: 1,000,000 rows of 12 columns, 1% changed.
 * The bare join scans the same model with the same fingerprints, joins state, and keeps the rows that differ; it finds
 * no duplicate keys, numbers nothing and registers no run.
 *
 *   node test/bench/diff.ts [duckdb] [postgres] [--rows 1000000]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import type { Warehouse } from "../../src/warehouse.ts";
import type { Dialect } from "../../src/warehouses/dialect.ts";
import { duckdbDialect } from "../../src/warehouses/duckdb/dialect.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import { plannerTables, quote } from "../../src/warehouses/names.ts";
import { postgresDialect } from "../../src/warehouses/postgres/dialect.ts";
import postgres from "../../src/warehouses/postgres/index.ts";
import { startPostgres } from "../postgres.ts";

interface Bench {
  readonly warehouse: Warehouse;
  readonly dialect: Dialect;
  readonly sql: (statement: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "1000000" } },
});
const rowCount = Number(values.rows);

const model = { from: { table: "model" }, key: ["id"] };
const expressions = {
  id: "i",
  email: "'user' || i || '@example.com'",
  first_name: "'First' || (i % 5000)",
  last_name: "'Last' || (i % 7000)",
  company: "'Company ' || (i % 90000)",
  plan: "case i % 3 when 0 then 'free' when 1 then 'pro' else 'team' end",
  active: "i % 2 = 0",
  mrr: "cast((i * 37 % 100000) / 100.0 as decimal(10,2))",
  score: "cast(sqrt(i) as double precision)",
  since: "date '2020-01-01' + cast(i % 2000 as integer)",
  seen: "timestamp '2026-01-01 00:00:00' + i * interval '1 second'",
  note: "case when i % 4 = 0 then null else 'note ' || i end",
};

async function openDuckdb(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const path = join(folder, "bench.db");
  const settings = { memory_limit: "192MB", temp_directory: `${path}.tmp` };
  const warehouse = duckdb.connect(duckdb.connection.parse({ path }), {
    planner: { in: "warehouse", schema: "sluice" },
    workspace: "/",
  });
  return {
    dialect: duckdbDialect,
    warehouse,
    async sql(statement) {
      const instance = await DuckDBInstance.fromCache(path, settings);
      const connection = await instance.connect();
      await connection.run(statement);
      connection.closeSync();
      instance.closeSync();
    },
    async close() {
      await warehouse.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function openPostgres(): Promise<Bench> {
  const server = await startPostgres();
  const url = await server.database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // The settings that the warehouse uses for its own statements.
  await client.query("set time zone 'UTC'; set jit = off; set work_mem = '64MB'");
  const warehouse = postgres.connect(postgres.connection.parse({ url }), {
    planner: { in: "warehouse", schema: "sluice" },
    workspace: "/",
  });
  return {
    dialect: postgresDialect,
    warehouse,
    sql: async (statement) => void (await client.query(statement)),
    async close() {
      await warehouse.close();
      await client.end();
      await server.stop();
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function measure(name: string, { warehouse, dialect, sql }: Bench): Promise<void> {
  const generated = Object.entries(expressions).map(([column, expression]) => `${expression} as ${column}`);
  const series =
    name === "duckdb" ? `range(${rowCount}) as r(i)` : `generate_series(0::bigint, ${rowCount - 1}) as r(i)`;
  await sql(`create table model as select ${generated.join(", ")} from ${series}`);
  const columns = await warehouse.columns(model);
  const planner = warehouse.planner("bench");
  const backOff = { firstMs: 60_000, maxMs: 3_600_000 };
  let fence = 0;
  const plan = async (match: readonly string[]): Promise<{ id: string; fence: number }> => {
    const run = { id: `run-${(fence += 1)}`, fence };
    const now = new Date();
    await planner.plan({ run, model, columns, match, salt: "s", scope: "changes", removals: true, now });
    return run;
  };

  let first = { id: "", fence: 0 };
  const firstPlan = await timed(async () => (first = await plan(["id"])));
  const read = await timed(async () => {
    for await (const page of planner.read(first, { columns, pageRows: 1000 })) if (page.length === 0) break;
  });
  const record = await timed(async () => {
    for (let seq = 1; seq <= rowCount; seq += 10_000) {
      const outcomes = Array.from({ length: Math.min(10_000, rowCount - seq + 1) }, (_, index) => ({
        seq: seq + index,
        kind: "accepted" as const,
        recordHash: "0123456789abcdef",
      }));
      await planner.record(first, [outcomes]);
    }
  });
  const commit = await timed(() => planner.commit(first, { now: new Date(), backOff }));
  await sql("update model set email = 'new' || email where id % 100 = 7");
  if (name === "postgres") await sql("vacuum analyze");

  const { state } = plannerTables(["sluice"], "bench");
  const stable = columns.map((column) => dialect.stableCell(column, quote(column.name)));
  const cells = columns.map((column, index) => `${dialect.cell(column, quote(column.name))} as c${index}`);
  const bare = `create table bare as with cur as (
      select cast(id as varchar) as row_key, ${dialect.fingerprint(["'s'", ...stable])} as fingerprint, ${cells.join(", ")} from model)
    select c.*, s.row_key as known_key, s.record_hash from cur c full outer join ${state} s on s.row_key = c.row_key
    where c.fingerprint is null or s.fingerprint is null or c.fingerprint <> s.fingerprint`;
  const bareTimes: number[] = [];
  const planTimes: number[] = [];
  const matchTimes: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await sql("drop table if exists bare");
    bareTimes.push(await timed(() => sql(bare)));
    for (const [match, times] of [
      [["id"], planTimes],
      [["email"], matchTimes],
    ] as const) {
      let run = { id: "", fence: 0 };
      times.push(await timed(async () => (run = await plan(match))));
      await planner.discard(run);
    }
  }
  const best = (times: readonly number[]): number => Math.min(...times);
  const seconds = (value: number): string => `${value.toFixed(2)} s`;
  console.log(`${name}: ${rowCount.toLocaleString("en")} rows × ${columns.length} columns`);
  console.log(
    `  first sync: plan ${seconds(firstPlan)}, read ${seconds(read)}, record ${seconds(record)}, commit ${seconds(commit)}`,
  );
  console.log(
    `  1% changed: bare join ${seconds(best(bareTimes))}, plan ${seconds(best(planTimes))}, ratio ${(best(planTimes) / best(bareTimes)).toFixed(2)}`,
  );
  console.log(
    `  1% changed, matched by another column than the key: plan ${seconds(best(matchTimes))}, ratio ${(best(matchTimes) / best(bareTimes)).toFixed(2)}`,
  );
  console.log(`  peak RSS of this process ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
}

const places = { duckdb: openDuckdb, postgres: openPostgres };
for (const [name, open] of Object.entries(places)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const bench = await open();
  try {
    await measure(name, bench);
  } finally {
    await bench.close();
  }
}
