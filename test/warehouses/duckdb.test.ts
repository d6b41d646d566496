import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { DuckdbDatabase } from "../../src/warehouses/duckdb/database.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import type { PlannerPlace } from "../../src/warehouse.ts";
import { conformance, type WarehouseUnderTest } from "./conformance.ts";
import { localPlace } from "./place.ts";

async function run(path: string, statement: string): Promise<void> {
  const instance = await DuckDBInstance.fromCache(path, { memory_limit: "192MB", temp_directory: `${path}.tmp` });
  const connection = await instance.connect();
  await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

const inSchema: PlannerPlace = { in: "warehouse", schema: "sluice" };

const connect = (path: string, planner: PlannerPlace = inSchema): ReturnType<typeof duckdb.connect> =>
  duckdb.connect(duckdb.connection.parse({ path, lock_wait_seconds: 5 }), { planner, workspace: "/" });

const underTest = (place: PlannerPlace["in"]): WarehouseUnderTest => ({
  name: `duckdb, planned in ${place}`,
  async open() {
    const folder = mkdtempSync(join(tmpdir(), "sluice-duckdb-"));
    const path = join(folder, "test.db");
    await run(path, "select 1");
    const warehouse = connect(path, place === "local" ? localPlace(folder) : inSchema);
    return {
      warehouse,
      async sql(statement) {
        // Who reads the file only must have closed it: one process cannot have it open in both ways.
        await warehouse.close();
        await run(path, statement);
      },
      async close() {
        await warehouse.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  types: [
    ["'text'", "text", "text"],
    ["cast(-12 as tinyint)", "integer", "-12"],
    ["cast(170141183460469231731687303715884105727 as hugeint)", "integer", "170141183460469231731687303715884105727"],
    ["cast(18446744073709551615 as ubigint)", "integer", "18446744073709551615"],
    ["cast(12.50 as decimal(10,2))", "decimal", "12.5"],
    ["cast(-100 as decimal(10,2))", "decimal", "-100"],
    ["cast(100 as decimal(10,0))", "decimal", "100"],
    ["cast(0.1 as double)", "float", "0.1"],
    ["cast(100 as double)", "float", "100"],
    ["cast(1e21 as double)", "float", "1e+21"],
    ["cast(1e15 as double)", "float", "1000000000000000"],
    ["cast(0.5 as float)", "float", "0.5"],
    ["cast('nan' as double)", "float", "NaN"],
    ["cast('-inf' as double)", "float", "-Infinity"],
    ["true", "boolean", "true"],
    ["date '2026-11-23'", "date", "2026-11-23"],
    ["time '09:30:00'", "time", "09:30:00.000000"],
    ["time '09:30:00.12'", "time", "09:30:00.120000"],
    ["timestamp '2026-11-23 09:30:00'", "timestamp", "2026-11-23T09:30:00.000000"],
    ["cast('2026-11-23 09:30:00' as timestamp_s)", "timestamp", "2026-11-23T09:30:00.000000"],
    ["cast('2026-11-23 09:30:00.123' as timestamp_ms)", "timestamp", "2026-11-23T09:30:00.123000"],
    ["cast('2026-11-23 09:30:00.123456789' as timestamp_ns)", "timestamp", "2026-11-23T09:30:00.123456789"],
    ["timestamptz '2026-11-23 11:30:00.5+02'", "timestamptz", "2026-11-23T09:30:00.500000Z"],
    ["cast('4a5b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1d' as uuid)", "text", "4a5b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1d"],
    ["from_hex('00ff')", "binary", "00ff"],
    ["cast('a' as enum('a', 'b'))", "text", "a"],
    ["[1, 2]", "json", "[1,2]"],
    ["{'a': 1, 'b': null}", "json", `{"a":1,"b":null}`],
    ["map {'x': 1}", "json", `{"x":1}`],
    [`cast('{"a": 1}' as json)`, "json", `{"a": 1}`],
    ["interval '1 day'", "text", "1 day"],
    ["cast('101' as bit)", "text", "101"],
  ],
  widenings: [
    ["cast(7 as integer)", "cast(7 as hugeint)"],
    ["cast(1.5 as decimal(10,2))", "cast(1.5 as decimal(12,4))"],
    ["cast(0.1 as float)", "cast(cast(0.1 as float) as double)"],
    ["cast('2026-11-23 09:30:00' as timestamp_s)", "cast('2026-11-23 09:30:00' as timestamp_ns)"],
  ],
});
conformance(underTest("warehouse"));
conformance({ ...underTest("local"), keepsRecords: false });

test("the file is free for other processes between runs, and a locked file says who holds it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-duckdb-"));
  const path = join(folder, "test.db");
  const warehouse = connect(path);
  const other = (source: string): string =>
    spawnSync(process.execPath, ["-e", `const { DuckDBInstance } = require("@duckdb/node-api"); ${source}`, path], {
      cwd: process.cwd(),
      encoding: "utf8",
    }).stdout.trim();
  const open = `DuckDBInstance.create(process.argv[1]).then(() => console.log("opened"), () => console.log("locked"))`;
  await warehouse.check();
  await sleep(500);
  expect(other(open)).toBe("opened");

  const blocking = await DuckDBInstance.create(path);
  const script = `import duckdb from "./src/warehouses/duckdb/index.ts";
    const warehouse = duckdb.connect({ path: process.argv[1], memory_limit: "192MB", lock_wait_seconds: 0.2 }, { planner: { in: "warehouse", schema: "sluice" }, workspace: "/" });
    await warehouse.check().catch((error) => console.log(error.code, error.message.includes("PID")));`;
  const refused = spawnSync(process.execPath, ["--input-type=module", "-e", script, path], { encoding: "utf8" });
  expect(refused.stdout.trim()).toBe("database_locked true");
  blocking.closeSync();
  await warehouse.close();
  await warehouse.close();
  rmSync(folder, { recursive: true });
});

test("a database in memory keeps its tables until it is closed", async () => {
  const warehouse = connect(":memory:");
  await warehouse.check();
  await sleep(400);
  expect(await warehouse.planner("a").openRuns()).toEqual([]);
  await warehouse.close();
});

test.each([
  ["a number that is none", "select id::integer from faulty", 'string "…" to INT32 when casting from source column id'],
  ["a text of several lines", "select lines::integer from faulty", 'string "…" when casting from source column lines'],
  ["a number that is too large", "select number::tinyint from faulty", "destination type INT8"],
  [
    "a sum that is too large",
    "select number + 2147483647::integer from faulty",
    "Overflow in addition of INT32 (… + …)",
  ],
  ["a decimal that is too large", "select number::decimal(4, 2) from faulty", "DECIMAL(4,2)"],
  ["a date that is none", "select make_date(number, 13, 45) from faulty", "Date out of range: …"],
  ["a text of another format", "select strptime(id, '%Y') from faulty", "Could not parse string"],
  ["a text that is no JSON", "select json_extract(id, '$.a') from faulty", "Malformed JSON"],
  ["a pattern that is none", "select regexp_matches('a', '(' || id) from faulty", "missing ): …"],
  ["a key that is taken", "insert into taken select id, 2 from faulty", "violates primary key constraint"],
  ["a key that is null", "insert into taken select null, number from faulty", "NOT NULL constraint failed: taken.id"],
  ["a line of a file", "select * from read_csv('FOLDER/bad.csv', columns = {'a': 'int'})", "CSV Error on Line: 3"],
])("%s: the error says so without the row's value", async (_, sql, says) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-duckdb-"));
  writeFileSync(join(folder, "bad.csv"), "a\n1\nK-secret\n");
  const database = new DuckdbDatabase({ path: ":memory:", memoryLimit: "192MB", threads: 1, lockWaitMs: 0 });
  const release = database.hold();
  try {
    const error = await database
      .session(async (session) => {
        await session.execute(`create table faulty as select 'K-secret' as id, 98765::integer as number,
          'it''s K-\n"secret\nK-secret' as lines`);
        await session.execute("create table taken (id varchar primary key, number integer)");
        await session.execute("insert into taken select id, 1 from faulty");
        await session.execute(sql.replace("FOLDER", folder));
      })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "sql_error", message: expect.stringContaining(says) });
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret|98765/);
  } finally {
    release();
    await database.close();
    rmSync(folder, { recursive: true });
  }
});
