/**
 * A first sync's rows out of Snowflake: 1,000,000 rows × 12 columns, planned and read by the driver, by unloaded
 * Parquet, and by the driver with its default settings, each in a process of its own. Snowflake is the sandbox, on
 * loopback and on the same cores: trust the ratios.
 *
 *   node test/bench/snowflake.ts [--rows 1000000]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import serveSnowflake from "../../src/warehouses/snowflake/sandbox/index.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, url: { type: "string" }, path: { type: "string" } },
});
const rows = Number(values.rows);
const paths = { driver: 1_000_000_000, parquet: 0 } as const;
const login = { account: "bench", username: "BENCH", password: "bench" };

/** What a reading process tells: seconds of planning and of reading. */
interface Told {
  readonly plan: number;
  /** Until the first row: Snowflake at work, and for Parquet the whole download. */
  readonly first: number;
  readonly read: number;
  readonly rows: number;
}

interface Measured extends Told {
  readonly peak: number;
  readonly each: readonly number[];
}

async function readPlan(url: string, unloadRows: number): Promise<Told> {
  // All that a worker has in memory.
  await import("../../src/main.ts");
  const { default: snowflake } = await import("../../src/warehouses/snowflake/index.ts");
  const given = { ...login, base_url: url, unload_rows: unloadRows, database: "SANDBOX", schema: "PUBLIC" };
  const warehouse = snowflake.connect(snowflake.connection.parse(given), {
    planner: { in: "warehouse", schema: "PLANNER" },
    workspace: "/",
  });
  const model = { from: { table: "MODEL" }, key: ["id"] };
  const columns = await warehouse.columns(model);
  const planner = warehouse.planner(`bench${unloadRows}`);
  const run = { id: "run", fence: 1 };
  const terms = { match: ["id"], salt: "s", scope: "changes", removals: true, now: new Date() } as const;
  const plan = await timed(() => planner.plan({ run, model, columns, ...terms }));
  const began = performance.now();
  let first = 0;
  let count = 0;
  for await (const page of planner.read(run, { columns, pageRows: 1000 })) {
    first ||= performance.now() - began;
    count += page.length;
  }
  const read = (performance.now() - began) / 1000;
  await warehouse.close();
  return { plan, first: first / 1000, read, rows: count };
}

async function readByDefault(url: string): Promise<Told> {
  const { default: driver } = await import("snowflake-sdk");
  driver.configure({ logLevel: "OFF", additionalLogToConsole: false });
  const connection = driver.createConnection({ ...login, accessUrl: url, database: "SANDBOX", schema: "PUBLIC" });
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  let count = 0;
  let first = 0;
  const read = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const began = performance.now();
        const complete = (error: Error | undefined, statement: ReturnType<typeof connection.execute>): void => {
          if (error) return reject(error);
          first = (performance.now() - began) / 1000;
          statement
            .streamRows()
            .on("data", () => (count += 1))
            .on("end", resolve)
            .on("error", reject);
        };
        connection.execute({ sqlText: "select * from MODEL", streamResult: true, complete });
      }),
  );
  return { plan: 0, first, read, rows: count };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** The most memory that a process and those that it started have had at once, in MB. */
class Peak {
  mb = 0;
  /** Of each of them, its own. */
  readonly each: number[] = [];

  look(pid: number): void {
    const children = readProc(`${pid}/task/${pid}/children`).split(" ").filter(Boolean);
    const sizes = [pid, ...children].map((one) =>
      Number(/VmRSS:\s+(\d+) kB/.exec(readProc(`${one}/status`))?.[1] ?? 0),
    );
    sizes.forEach((size, index) => (this.each[index] = Math.max(this.each[index] ?? 0, size / 1024)));
    this.mb = Math.max(this.mb, sizes.reduce((sum, size) => sum + size, 0) / 1024);
  }
}

function readProc(file: string): string {
  try {
    return readFileSync(`/proc/${file}`, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}

async function inProcess(url: string, path: string): Promise<Measured> {
  const flags = ["--max-semi-space-size=4", import.meta.filename, "--url", url, "--path", path];
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  const peak = new Peak();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const sampling = setInterval(() => peak.look(child.pid ?? 0), 25);
  await once(child, "close");
  clearInterval(sampling);
  return { ...(JSON.parse(out) as Told), peak: peak.mb, each: peak.each };
}

async function measure(): Promise<void> {
  const served = await serveSnowflake({});
  try {
    await served.run(`create table model as select 'K' || i as id, i * 7 as big, 'Name ' || i as name,
      'person' || i || '@example.com' as email, 'City ' || i % 1000 as city, 'note ' || i % 77 as note, i % 2 = 0 as active,
      (i % 100000 / 100)::decimal(12, 2) as mrr, i / 3.0::double as score, date '2026-01-01' + (i % 300)::int as since,
      timestamp '2026-01-01' + to_seconds(i) as seen, case when i % 3 = 0 then 'x' || i end as extra
      from range(${rows}) r(i)`);
    const found: Record<string, Measured> = {};
    for (const path of ["driver", "parquet", "default"]) found[path] = await inProcess(served.url, path);
    console.log(`${rows.toLocaleString("en")} rows × 12 columns from the Snowflake sandbox`);
    const base = found["default"];
    for (const [path, { plan, first, read, peak, each, rows: count }] of Object.entries(found)) {
      const ratio = base === undefined ? 1 : base.read / read;
      const perSecond = (seconds: number): string => Math.round(count / seconds).toLocaleString("en");
      console.log(
        `  ${path.padEnd(8)} plan ${plan.toFixed(1)} s, first row after ${first.toFixed(1)} s, whole ${read.toFixed(1)} s (${ratio.toFixed(2)} × as fast as the driver's default), ${perSecond(read)} rows/s whole, ${perSecond(read - first)} rows/s after the first, peak memory ${peak.toFixed(0)} MB (service and driver: ${each.map((mb) => mb.toFixed(0)).join(" and ")})`,
      );
    }
  } finally {
    await served.close();
  }
}

if (values.url === undefined) await measure();
else if (values.path === "default") console.log(JSON.stringify(await readByDefault(values.url)));
else console.log(JSON.stringify(await readPlan(values.url, values.path === "parquet" ? paths.parquet : paths.driver)));
process.exit();
