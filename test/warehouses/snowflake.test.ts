import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PlannerPlace } from "../../src/warehouse.ts";
import { columnName, snowflakeDialect } from "../../src/warehouses/snowflake/dialect.ts";
import snowflake from "../../src/warehouses/snowflake/index.ts";
import serveSnowflake, { type ServedSnowflake } from "../../src/warehouses/snowflake/sandbox/index.ts";
import { conformance, type WarehouseUnderTest } from "./conformance.ts";
import { all, backOff, localPlace } from "./place.ts";
import { complaints } from "./snowflake-sql.ts";

const given = {
  account: "acme-eu1",
  username: "SLUICE",
  password: "right",
  role: "SLUICE_ROLE",
  warehouse: "SLUICE_WH",
};

function connect(url: string, planner: PlannerPlace): ReturnType<typeof snowflake.connect> {
  const connection = snowflake.connection.parse({ ...given, database: "SANDBOX", schema: "PUBLIC", base_url: url });
  return snowflake.connect(connection, { planner, workspace: "/" });
}

/** Every statement that came to a sandbox. */
async function askedOf(url: string): Promise<readonly string[]> {
  const asked = (await (await fetch(`${url}/_sandbox/requests`)).json()) as { sql: string }[];
  return asked.map(({ sql }) => sql);
}

async function disposable(serving: Promise<ServedSnowflake>): Promise<ServedSnowflake & AsyncDisposable> {
  const sandbox = await serving;
  return { ...sandbox, [Symbol.asyncDispose]: () => sandbox.close() };
}

const emitted: Record<PlannerPlace["in"], string[]> = { warehouse: [], local: [] };

const underTest = (place: PlannerPlace["in"]): WarehouseUnderTest => ({
  name: `snowflake, planned in ${place}`,
  async open() {
    const sandbox = await serveSnowflake({});
    const folder = mkdtempSync(join(tmpdir(), "sluice-snowflake-"));
    const inSchema = { in: "warehouse", schema: "SANDBOX.PLANNER" } as const;
    const warehouse = connect(sandbox.url, place === "local" ? localPlace(folder) : inSchema);
    return {
      warehouse,
      sql: (statement) => sandbox.run(statement),
      async close() {
        emitted[place].push(...(await askedOf(sandbox.url)));
        await warehouse.close();
        await sandbox.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  types: [
    ["'text'", "text", "text"],
    ["cast(-12 as number(3,0))", "integer", "-12"],
    [
      "cast('99999999999999999999999999999999999999' as number(38,0))",
      "integer",
      "99999999999999999999999999999999999999",
    ],
    ["cast(12.50 as number(10,2))", "decimal", "12.5"],
    ["cast(-100 as number(10,2))", "decimal", "-100"],
    ["cast(0.1 as float)", "float", "0.1"],
    ["cast(100 as float)", "float", "100"],
    ["cast(1e21 as float)", "float", "1e+21"],
    ["cast(1e15 as float)", "float", "1000000000000000"],
    ["cast('NaN' as float)", "float", "NaN"],
    ["cast('-inf' as float)", "float", "-Infinity"],
    ["true", "boolean", "true"],
    ["cast('2026-11-23' as date)", "date", "2026-11-23"],
    ["cast('2026-11-23 09:30:00.123456' as timestamp_ntz)", "timestamp", "2026-11-23T09:30:00.123456000"],
    ["cast('2026-11-23 09:30:00.123456789' as timestamp_ntz)", "timestamp", "2026-11-23T09:30:00.123456789"],
    ["to_binary('00ff', 'HEX')", "binary", "00ff"],
    ["parse_json('[1,2]')", "json", "[1,2]"],
  ],
  columnNamed: columnName,
  literal: (text) => snowflakeDialect.literal(text),
  // The driver keeps columns in an object by their names; the sandbox's translation takes three quotes for one mark.
  impossibleColumns: ["__proto__", `"; drop table x; --`],
  widenings: [
    ["cast(7 as number(5,0))", "cast(7 as number(38,0))"],
    ["cast(1.5 as number(10,2))", "cast(1.5 as number(12,4))"],
  ],
});

conformance(underTest("warehouse"));
conformance({ ...underTest("local"), keepsRecords: false });

test.each([
  ["unloaded by way of the user's stage, which is empty afterwards", true],
  ["brought by the driver where the account forbids unloading", false],
])("keys of a large model that is only read are %s", async (_, allowed) => {
  const sandbox = await serveSnowflake({});
  const folder = mkdtempSync(join(tmpdir(), "sluice-snowflake-"));
  const warehouse = connect(sandbox.url, localPlace(folder));
  try {
    await sandbox.run("create table model as select 'K' || i as id, i as n from range(110000) r(i)");
    if (!allowed) sandbox.faults.add({ statement: "copy into @~", times: null, fault: { kind: "refused" } });
    const model = { from: { table: "MODEL" }, key: ["id"] };
    const columns = await warehouse.columns(model);
    const planner = warehouse.planner("large");
    const terms = {
      model,
      columns,
      match: ["n"],
      salt: "",
      scope: "changes",
      removals: true,
      now: new Date(),
    } as const;
    const first = { id: "first", fence: 1 };
    expect((await planner.plan({ run: first, ...terms })).added).toBe(110_000);
    await planner.record(first, [
      Array.from({ length: 110_000 }, (__, index) => ({ seq: index + 1, kind: "accepted" })),
    ]);
    await planner.commit(first, { now: new Date(), backOff });
    await sandbox.run("update model set n = -n where n > 0 and n % 10000 = 0");
    const second = { id: "second", fence: 2 };
    expect(await planner.plan({ run: second, ...terms })).toMatchObject({ changed: 10, unchanged: 109_990 });
    const changes = await all(planner.read(second, { columns, pageRows: 100 }));
    expect(changes.map(({ cells }) => cells)).toContainEqual(["K20000", "-20000"]);
    const asked = await askedOf(sandbox.url);
    expect(asked.filter((sql) => /^\s*copy into @~/i.test(sql))).toHaveLength(allowed ? 1 : 0);
    expect(asked.filter((sql) => /^\s*remove @~/i.test(sql)).length).toBeGreaterThan(0);
  } finally {
    await warehouse.close();
    await sandbox.close();
    rmSync(folder, { recursive: true });
  }
});

describe("what a killed worker left on the user's stage", () => {
  const hour = 3_600_000;
  const place = (digit: number): string => `sluice/${String(digit).repeat(8)}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`;

  /** Puts a file on the stage that was written so many hours ago. */
  async function leave({ stages }: ServedSnowflake, file: string, hours: number): Promise<void> {
    const path = join(await stages.folder(`user-${given.username}`), file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "rows");
    const written = new Date(Date.now() - hours * hour);
    utimesSync(path, written, written);
  }
  const left = ({ stages }: ServedSnowflake): readonly string[] =>
    stages.files({ stage: `user-${given.username}`, path: "", own: true }).map(({ path }) => path);

  async function checkAndClose(url: string): Promise<void> {
    const warehouse = connect(url, { in: "warehouse", schema: "PLANNER" });
    await warehouse.check();
    await warehouse.close();
  }

  test("is removed a day later, and neither what another run may need nor what is not Sluice's", async () => {
    await using sandbox = await disposable(serveSnowflake({}));
    await leave(sandbox, `${place(1)}/data_0_0_0.snappy.parquet`, 26);
    await leave(sandbox, `${place(1)}/data_0_1_0.snappy.parquet`, 30);
    // Statements may take an hour: what is a day old may still be written.
    const kept = [
      "notes/today.txt",
      `other/${place(2)}/data_0_0_0.snappy.parquet`,
      `${place(3)}/data_0_0_0.snappy.parquet`,
      `${place(4)}/data_0_0_0.snappy.parquet`,
      `${place(4)}/data_0_1_0.snappy.parquet`,
      "sluice/mine/data_0_0_0.snappy.parquet",
    ];
    for (const [index, hours] of [99, 99, 24.5, 99, 1, 99].entries()) await leave(sandbox, kept[index] ?? "", hours);
    await checkAndClose(sandbox.url);
    expect(left(sandbox)).toEqual(kept.toSorted());
    const asked = async (verb: RegExp): Promise<readonly string[]> =>
      (await askedOf(sandbox.url)).filter((sql) => verb.test(sql));
    expect(await asked(/^remove @~/)).toEqual([`remove @~/${place(1)}/`]);
    expect((await asked(/@~|sysdate/)).flatMap(complaints)).toEqual([]);
    // Once a day is enough.
    await checkAndClose(sandbox.url);
    expect(await asked(/^list @~/)).toHaveLength(1);
  });

  test("is no trouble where the account does not let it be listed, or does not answer", async () => {
    for (const kind of ["refused", "hang"] as const) {
      await using sandbox = await disposable(serveSnowflake({}));
      sandbox.faults.add({ statement: "list @~", fault: { kind } });
      await leave(sandbox, `${place(1)}/data_0_0_0.snappy.parquet`, 99);
      await checkAndClose(sandbox.url);
      expect(left(sandbox)).toHaveLength(1);
    }
  });
});

test.each(["warehouse", "local"] as const)(
  "every statement of a planner in %s is Snowflake SQL, by two parsers",
  (place) => {
    const ours = emitted[place].filter((sql) => /PLANNER|planner|@~|alter session|as row_key/i.test(sql));
    expect(ours.length).toBeGreaterThan(200);
    expect(
      [...new Set(ours)].flatMap((sql) => complaints(sql).map((complaint) => [complaint, sql])).slice(0, 3),
    ).toEqual([]);
  },
);

test("a planner outside the account only reads it", () => {
  const asked = emitted.local.filter((sql) => !/^\s*(select|with|alter session set)\b/i.test(sql));
  expect(asked).toEqual([]);
});
