/**
 * Planning a source that is only read: 10,000,000 keys, 1% changed, state in a folder. Each step is a process of its
 * own, so that its memory is its own. Beside it DuckDB's bare join of the same two files, state and what the source
 * told: the join finds what differs, and no shared keys, back-off or numbers.
 *
 *   node test/bench/local.ts [--rows 10000000] [--memory 384MB]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import type { OutcomeRow, PlanRequest, Warehouse } from "../../src/warehouse.ts";
import { DuckdbDatabase } from "../../src/warehouses/duckdb/database.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import { localDialect } from "../../src/warehouses/local/compare.ts";
import { inScratch, parquet, takeIn } from "../../src/warehouses/local/scratch.ts";
import { differences, sourceStatement } from "../../src/warehouses/plan-sql.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "10000000" },
    memory: { type: "string", default: "384MB" },
    folder: { type: "string" },
    step: { type: "string" },
  },
});
const rows = Number(values.rows);
const model = { from: { table: "model" }, key: ["id"] };
const columns = [
  { name: "id", type: "text", native: "VARCHAR" },
  { name: "mrr", type: "decimal", native: "DECIMAL(12,2)" },
  { name: "plan", type: "text", native: "VARCHAR" },
] as const;
const terms = { match: ["id"], salt: "s", scope: "changes", removals: true, now: new Date() } as const;

/** Where things are in the bench's folder. */
const at = (folder: string) => ({
  file: join(folder, "source.duckdb"),
  state: join(folder, "state"),
  scratch: join(folder, "scratch"),
});

function open(folder: string): Warehouse {
  const { file, state, scratch } = at(folder);
  const planner = { in: "local", store: { folder: state }, scratch, memoryLimit: values.memory } as const;
  return duckdb.connect(duckdb.connection.parse({ path: file }), { planner, workspace: "/" });
}

const request = (id: string, fence: number): PlanRequest => ({ run: { id, fence }, model, columns, ...terms });

/** What each step does, in its own process; what it returns is printed for the parent. */
const steps: Readonly<Record<string, (folder: string) => Promise<Readonly<Record<string, number>>>>> = {
  async first(folder) {
    const warehouse = open(folder);
    const planner = warehouse.planner("bench");
    const { run } = request("first", 1);
    const plan = await timed(() => planner.plan(request("first", 1)));
    const record = await timed(() => planner.record(run, accepted(rows)));
    const commit = await timed(() => planner.commit(run, { now: new Date(), backOff: { firstMs: 1, maxMs: 1 } }));
    await warehouse.close();
    return { plan, record, commit };
  },
  async second(folder) {
    const warehouse = open(folder);
    const planner = warehouse.planner("bench");
    const { run } = request("second", 2);
    let changed = 0;
    const plan = await timed(async () => void ({ changed } = await planner.plan(request("second", 2))));
    const record = await timed(() => planner.record(run, accepted(changed)));
    const commit = await timed(() => planner.commit(run, { now: new Date(), backOff: { firstMs: 1, maxMs: 1 } }));
    await warehouse.close();
    return { changed, plan, record, commit };
  },
  /** The comparison by itself: both queries read the same two files. */
  async compare(folder) {
    const { file, state, scratch } = at(folder);
    const source = new DuckdbDatabase({
      path: file,
      memoryLimit: "1GB",
      threads: undefined,
      lockWaitMs: 0,
      readOnly: true,
    });
    const known = join(
      state,
      "bench",
      readdirSync(join(state, "bench")).find((name) => name.startsWith("state-")) ?? "",
    );
    const told = await inScratch({ folder: scratch, memoryLimit: values.memory }, async (place) => {
      const { session } = place;
      const sql = sourceStatement(request("third", 3), columns, source.dialect, false);
      const narrow = [
        { name: "row_key", type: "text" },
        { name: "fingerprint", type: "text", as: "cast(md5(fingerprint) as uuid)" },
        { name: "match_key", type: "text" },
        { name: "match_cells", type: "text" },
      ] as const;
      let arrived = "";
      const take = await timed(async () => void (arrived = await takeIn("narrow", narrow, source.stream(sql), place)));
      const bare = `select m.row_key, s.row_key as known_key, s.record_hash from ${arrived} as m
        full outer join ${parquet(known)} as s on s.row_key = m.row_key
        where m.fingerprint is null or s.fingerprint is null or m.fingerprint <> s.fingerprint`;
      await session.execute("create table failed (row_key varchar, fingerprint uuid, kind varchar, next_at bigint)");
      const compared = {
        rows: `select * from ${arrived}`,
        materialized: " not materialized",
        matchKey: "match_key",
        matchCells: "match_cells",
        cells: "null",
      };
      const tables = { state: parquet(known), failed: "failed" };
      const ours = differences(compared, tables, request("third", 3), columns, localDialect);
      const times: Record<"bare" | "ours", number[]> = { bare: [], ours: [] };
      for (let round = 0; round < 3; round += 1) {
        times.bare.push(await timed(() => session.execute(`create or replace table found as ${bare}`)));
        times.ours.push(await timed(() => session.execute(`create or replace table found as ${ours}`)));
      }
      return { take, bare: Math.min(...times.bare), ours: Math.min(...times.ours) };
    });
    await source.close();
    return told;
  },
};

function* accepted(count: number): Iterable<readonly OutcomeRow[]> {
  for (let seq = 1; seq <= count; seq += 10_000) {
    const size = Math.min(10_000, count - seq + 1);
    yield Array.from({ length: size }, (_, index) => ({
      seq: seq + index,
      kind: "accepted",
      recordHash: "0123456789abcdef",
    }));
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

/** A step in a process of its own: what it told, and the most memory that it had. */
async function inProcess(step: string, folder: string): Promise<{ told: Record<string, number>; peakMb: number }> {
  const args = [
    import.meta.filename,
    "--step",
    step,
    "--folder",
    folder,
    "--rows",
    values.rows,
    "--memory",
    values.memory,
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  let peakMb = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const sampling = setInterval(() => {
    const high = /VmHWM:\s+(\d+) kB/.exec(statusOf(child.pid))?.[1];
    if (high !== undefined) peakMb = Number(high) / 1024;
  }, 50);
  await once(child, "close");
  clearInterval(sampling);
  return { told: JSON.parse(out), peakMb };
}

/** Empty when the process has just ended. */
function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const sql = async (statement: string): Promise<void> => {
    const instance = await DuckDBInstance.create(at(folder).file, { memory_limit: "2GB" });
    const connection = await instance.connect();
    await connection.run(statement);
    connection.closeSync();
    instance.closeSync();
  };
  const line = (text: string): void => console.log(`  ${text}`);
  const seconds = (value = 0): string => `${value.toFixed(1)} s`;
  try {
    await sql(`create table model as select substr(md5(cast(i as varchar)), 1, 24) as id,
      cast((i * 37 % 100000) / 100.0 as decimal(12,2)) as mrr, case i % 3 when 0 then 'free' else 'pro' end as plan
      from range(${rows}) as r(i)`);
    console.log(`local: ${rows.toLocaleString("en")} keys of 24 characters, DuckDB limited to ${values.memory}`);
    const first = await inProcess("first", folder);
    line(
      `first sync: plan ${seconds(first.told["plan"])}, record ${seconds(first.told["record"])}, commit ${seconds(first.told["commit"])}, peak RSS ${first.peakMb.toFixed(0)} MB`,
    );
    await sql("update model set mrr = mrr + 1 where hash(id) % 100 = 7");
    const second = await inProcess("second", folder);
    line(
      `${second.told["changed"]} changed: plan ${seconds(second.told["plan"])}, record ${seconds(second.told["record"])}, commit ${seconds(second.told["commit"])}, peak RSS ${second.peakMb.toFixed(0)} MB`,
    );
    await sql("update model set mrr = mrr + 1 where hash(id) % 100 = 8");
    const { told, peakMb } = await inProcess("compare", folder);
    const ratio = (told["ours"] ?? 0) / (told["bare"] ?? 1);
    line(
      `rows taken in from the source ${seconds(told["take"])}; bare join ${seconds(told["bare"])}, comparison ${seconds(told["ours"])}, ratio ${ratio.toFixed(2)}, peak RSS ${peakMb.toFixed(0)} MB`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (values.step === undefined || values.folder === undefined) await measure();
else console.log(JSON.stringify(await steps[values.step]?.(values.folder)));
