/**
 * A first sync's rows out of Snowflake: 1,000,000 rows × 12 columns, planned and read by the driver, by unloaded
 * Parquet, and by the driver with its default settings, each in a process of its own. Snowflake is the sandbox, on
 * loopback and on the same cores: trust the ratios.
 *
 * "Reading" is what is done here: fetching, moving, parsing. What Snowflake does on its own machines, to run the query or to
 * unload, is told apart, by the times in its query history; "whole" is both.
 *
 *   node test/bench/snowflake.ts [--rows 1000000] [--rounds 1]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "1" },
    url: { type: "string" },
    path: { type: "string" },
  },
});
const rows = Number(values.rows);
const paths = { driver: 1_000_000_000, parquet: 0 } as const;
const login = { account: "bench", username: "BENCH", password: "bench" };

/** What a reading process tells: seconds of planning, and of reading with all that Snowflake does for it. */
interface Told {
  readonly plan: number;
  readonly whole: number;
  /** Seconds of a processor that the reading process took meanwhile, which others on the machine change little. */
  readonly busy: number;
  readonly rows: number;
}

interface Measured extends Told {
  /** Seconds that Snowflake itself took of the whole. */
  readonly snowflake: number;
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
  let count = 0;
  const idle = process.cpuUsage();
  const whole = await timed(async () => {
    for await (const page of planner.read(run, { columns, pageRows: 1000 })) count += page.length;
  });
  const busy = busySince(idle);
  await warehouse.close();
  return { plan, whole, busy, rows: count };
}

async function readByDefault(url: string): Promise<Told> {
  const { default: driver } = await import("snowflake-sdk");
  driver.configure({ logLevel: "OFF", additionalLogToConsole: false });
  const connection = driver.createConnection({ ...login, accessUrl: url, database: "SANDBOX", schema: "PUBLIC" });
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  let count = 0;
  const idle = process.cpuUsage();
  const whole = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const complete = (error: Error | undefined, statement: ReturnType<typeof connection.execute>): void => {
          if (error) return reject(error);
          statement
            .streamRows()
            .on("data", () => (count += 1))
            .on("end", resolve)
            .on("error", reject);
        };
        connection.execute({ sqlText: "select * from MODEL", streamResult: true, complete });
      }),
  );
  return { plan: 0, whole, busy: busySince(idle), rows: count };
}

function busySince(idle: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(idle);
  return (user + system) / 1_000_000;
}

/** The statements of the sandbox's history that a reading consists of: one of them is the work. */
async function secondsInSnowflake(url: string): Promise<number> {
  const asked = (await (await fetch(`${url}/_sandbox/requests`)).json()) as { sql: string; milliseconds: number }[];
  const reads = /^\s*(copy into @|select '\['|select \* from MODEL$)/;
  return asked.filter(({ sql }) => reads.test(sql)).reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0);
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
  const before = await secondsInSnowflake(url);
  const flags = ["--max-semi-space-size=4", import.meta.filename, "--url", url, "--path", path];
  // What was compiled once is read from the cache, as the command does it: the compiler takes 25 MB.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache") };
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"], env });
  let out = "";
  const peak = new Peak();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const sampling = setInterval(() => peak.look(child.pid ?? 0), 25);
  await once(child, "close");
  clearInterval(sampling);
  const snowflake = (await secondsInSnowflake(url)) - before;
  return { ...(JSON.parse(out) as Told), snowflake, peak: peak.mb, each: peak.each };
}

async function measure(): Promise<void> {
  const { default: serveSnowflake } = await import("../../src/warehouses/snowflake/sandbox/index.ts");
  // Snowflake has memory of its own.
  const served = await serveSnowflake({ memoryLimit: "4GB" });
  try {
    await served.run(`create table model as select 'K' || i as id, i * 7 as big, 'Name ' || i as name,
      'person' || i || '@example.com' as email, 'City ' || i % 1000 as city, 'note ' || i % 77 as note, i % 2 = 0 as active,
      (i % 100000 / 100)::decimal(12, 2) as mrr, i / 3.0::double as score, date '2026-01-01' + (i % 300)::int as since,
      timestamp '2026-01-01' + to_seconds(i) as seen, case when i % 3 = 0 then 'x' || i end as extra
      from range(${rows}) r(i)`);
    console.log(`${rows.toLocaleString("en")} rows × 12 columns from the Snowflake sandbox`);
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const path of ["driver", "parquet", "default"]) tell(path, await inProcess(served.url, path));
    }
  } finally {
    await served.close();
  }
}

function tell(path: string, { plan, whole, snowflake, busy, peak, each, rows: count }: Measured): void {
  const perSecond = (seconds: number): string => `${Math.round(count / seconds).toLocaleString("en")} rows/s`;
  const seconds = (number: number): string => `${number.toFixed(1)} s`;
  console.log(
    `  ${path.padEnd(8)} reading ${perSecond(whole - snowflake)} (${seconds(whole - snowflake)}, of which the service was busy ${seconds(busy)}), Snowflake's own work ${seconds(snowflake)}, whole ${perSecond(whole)}; plan before that ${seconds(plan)}; peak memory ${peak.toFixed(0)} MB (service and driver, each at its own peak: ${each.map((mb) => mb.toFixed(0)).join(" and ")})`,
  );
}

if (values.url === undefined) await measure();
else if (values.path === "default") console.log(JSON.stringify(await readByDefault(values.url)));
else console.log(JSON.stringify(await readPlan(values.url, values.path === "parquet" ? paths.parquet : paths.driver)));
process.exit();
