import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresDatabase } from "../../src/warehouses/postgres/database.ts";
import { warehouseError } from "../../src/warehouses/postgres/errors.ts";
import postgres from "../../src/warehouses/postgres/index.ts";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import type { PlannerPlace } from "../../src/warehouse.ts";
import { conformance, type WarehouseUnderTest } from "./conformance.ts";
import { eachPage, localPlace, type Place } from "./place.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => server.stop());

async function run(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Carries bytes to a server and back, and breaks the first connection on which the client says these words. */
async function lineThatBreaks(
  words: string,
  to: { readonly host: string; readonly port: number },
): Promise<AsyncDisposable & { readonly port: number; readonly broken: boolean }> {
  let broken = false;
  const line = createServer((near) => {
    const far = createConnection(to);
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    far.on("data", (bytes) => near.write(bytes));
    near.on("data", (bytes) => {
      if (broken || !bytes.includes(words)) return void far.write(bytes);
      broken = true;
      end();
    });
  });
  await once(line.listen(0, "127.0.0.1"), "listening");
  return {
    port: (line.address() as AddressInfo).port,
    get broken() {
      return broken;
    },
    [Symbol.asyncDispose]: async () => void (await once(line.close(), "close")),
  };
}

const connect = (
  url: string,
  settings: Readonly<Record<string, unknown>> = {},
  planner: PlannerPlace = { in: "warehouse", schema: "sluice" },
): ReturnType<typeof postgres.connect> =>
  postgres.connect(postgres.connection.parse({ url, ...settings }), { planner, workspace: "/" });

/** A warehouse whose role may read everything and write nothing, planned in a folder. */
async function readOnly(url: string): Promise<Pick<Place, "warehouse" | "close">> {
  const reader = new URL(url);
  reader.username = `only_reads_${reader.pathname.slice(1)}`;
  await run(url, `create role "${reader.username}" login in role pg_read_all_data`);
  const folder = mkdtempSync(join(tmpdir(), "sluice-postgres-"));
  const warehouse = connect(reader.href, {}, localPlace(folder));
  return {
    warehouse,
    async close() {
      await warehouse.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const underTest = (place: PlannerPlace["in"]): WarehouseUnderTest => ({
  name: `postgres, planned in ${place}`,
  async open() {
    const url = await server.database();
    // What the server or the role have set must not show in any text.
    const name = new URL(url).pathname.slice(1);
    const settings = {
      timezone: "'Asia/Tokyo'",
      datestyle: "'German'",
      intervalstyle: "'iso_8601'",
      extra_float_digits: "0",
      standard_conforming_strings: "off",
    };
    await run(url, "create type mood as enum ('sad', 'ok')", "create domain short as varchar(10)");
    await run(url, ...Object.entries(settings).map(([key, value]) => `alter database "${name}" set ${key} = ${value}`));
    const sql = (statement: string): Promise<void> => run(url, statement);
    if (place === "local") return { ...(await readOnly(url)), sql };
    const warehouse = connect(url);
    return { warehouse, sql, close: () => warehouse.close() };
  },
  types: [
    ["cast('text' as text)", "text", "text"],
    ["cast('text' as varchar(10))", "text", "text"],
    ["cast('text' as char(10))", "text", "text"],
    ["cast('short' as short)", "text", "short"],
    ["cast(-12 as smallint)", "integer", "-12"],
    ["cast(9223372036854775807 as bigint)", "integer", "9223372036854775807"],
    ["cast(12.50 as numeric(10,2))", "decimal", "12.5"],
    ["cast('NaN' as numeric)", "decimal", "NaN"],
    ["cast(123456789012345678901234567890.10 as numeric)", "decimal", "123456789012345678901234567890.1"],
    ["cast(12.50 as money)", "decimal", "12.5"],
    ["cast(0.1 as double precision)", "float", "0.1"],
    ["cast(1e21 as double precision)", "float", "1e+21"],
    ["cast(1e15 as double precision)", "float", "1000000000000000"],
    ["cast(0.5 as real)", "float", "0.5"],
    ["cast('NaN' as double precision)", "float", "NaN"],
    ["cast('-Infinity' as double precision)", "float", "-Infinity"],
    ["true", "boolean", "true"],
    ["date '2026-11-23'", "date", "2026-11-23"],
    ["date 'infinity'", "date", "infinity"],
    ["time '09:30:00'", "time", "09:30:00.000000"],
    ["time '09:30:00.12'", "time", "09:30:00.120000"],
    ["timetz '09:30:00+02'", "text", "09:30:00+02"],
    ["timestamp '2026-11-23 09:30:00'", "timestamp", "2026-11-23T09:30:00.000000"],
    ["timestamp 'infinity'", "timestamp", "infinity"],
    ["timestamptz '2026-11-23 11:30:00.5+02'", "timestamptz", "2026-11-23T09:30:00.500000Z"],
    ["cast('4a5b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1d' as uuid)", "text", "4a5b3c2d-1e0f-4a5b-8c7d-6e5f4a3b2c1d"],
    ["decode('00ff', 'hex')", "binary", "00ff"],
    [`cast('{"a": 1}' as json)`, "json", `{"a": 1}`],
    [`cast('{"a":1}' as jsonb)`, "json", `{"a": 1}`],
    ["array[1, 2]", "json", "[1,2]"],
    ["cast('ok' as mood)", "text", "ok"],
    ["cast('10.0.0.1/8' as inet)", "text", "10.0.0.1/8"],
    ["interval '1 day'", "text", "1 day"],
    ["cast('101' as bit(3))", "text", "101"],
  ],
  widenings: [
    ["cast(7 as integer)", "cast(7 as bigint)"],
    ["cast(1.5 as numeric(10,2))", "cast(1.5 as numeric(12,4))"],
    ["cast('a' as varchar(10))", "cast('a' as text)"],
    ["cast(0.1 as real)", "cast(cast(0.1 as real) as double precision)"],
  ],
});
conformance(underTest("warehouse"));
conformance({ ...underTest("local"), keepsRecords: false });

describe("postgres", () => {
  test("a role that may not write is told what to grant", async () => {
    const url = await server.database();
    const name = new URL(url).pathname.slice(1);
    await run(url, `create role "reader_${name}" login`, `revoke create on database "${name}" from public`);
    const reader = new URL(url);
    reader.username = `reader_${name}`;
    const warehouse = connect(reader.href);
    await expect(warehouse.check()).rejects.toMatchObject({
      code: "planner_not_writable",
      hint: expect.stringContaining("grant"),
    });
    // With the schema made by somebody else and the least grants it works.
    await run(url, "create schema sluice", `grant usage, create on schema sluice to "reader_${name}"`);
    await warehouse.check();
    expect(await warehouse.planner("a").openRuns()).toEqual([]);
    await run(url, "create table public.secret as select 1 as id");
    await expect(warehouse.columns({ from: { table: "public.secret" }, key: ["id"] })).rejects.toMatchObject({
      code: "permission_denied",
    });
    await warehouse.close();
    await run(url, `drop owned by "reader_${name}"`, `drop role "reader_${name}"`);
  });

  test("a model cannot write", async () => {
    const url = await server.database();
    await run(url, "create table t as select 1 as id");
    const warehouse = connect(url);
    const sql = "with gone as (delete from t returning id) select id from gone";
    await expect(warehouse.columns({ from: { sql }, key: ["id"] })).rejects.toMatchObject({ code: "sql_error" });
    expect(
      await warehouse.sample(
        { from: { table: "t" }, key: ["id"] },
        [{ name: "id", type: "integer", native: "integer" }],
        5,
      ),
    ).toEqual([["1"]]);
    await warehouse.close();
  });

  test("a statement that takes too long is ended", async () => {
    const warehouse = connect(await server.database(), { statement_timeout_seconds: 1 });
    const model = { from: { sql: "select 1 as id from pg_sleep(10)" }, key: ["id"] };
    await expect(
      warehouse.sample(model, [{ name: "id", type: "integer", native: "integer" }], 1),
    ).rejects.toMatchObject({ code: "statement_timeout" });
    await warehouse.close();
  });

  test.each(["set time zone", "pg_backend_pid", "declare streamed", "rollback"])(
    "a connection that breaks at %s is let go of, and the next one works",
    async (words) => {
      const { hostname, port, username, pathname } = new URL(await server.database());
      await using line = await lineThatBreaks(words, { host: hostname, port: Number(port) });
      const through = { host: "127.0.0.1", port: line.port, user: username, database: pathname.slice(1) };
      const database = new PostgresDatabase({ server: through, statementTimeoutMs: 60_000 });
      const read = (): Promise<unknown> => eachPage(database.stream("select 1"));
      // Whether it is told depends on whether anything was still wanted of it.
      await read().catch((error: unknown) => expect(error).toMatchObject({ code: "unreachable" }));
      expect(line.broken).toBe(true);
      expect(await read()).toEqual([[["1"]]]);
      await database.close();
    },
  );

  test("options in its address are honoured, but for what the text of values depends on", async () => {
    const url = new URL(await server.database());
    await run(url.href, "create schema sales", "create table sales.orders as select 1 as id");
    url.searchParams.set("options", "-c search_path=sales -c work_mem=8MB -c datestyle=German -c lock_timeout=7s");
    const shown = ["search_path", "work_mem", "jit", "datestyle", "lock_timeout", "statement_timeout"];
    const settings = shown.map((name) => `current_setting('${name}') as ${name}`).join(", ");
    const model = { from: { sql: `select id, ${settings} from orders` }, key: ["id"] };
    const warehouse = connect(url.href, { statement_timeout_seconds: 60 });
    await warehouse.check();
    const columns = await warehouse.columns(model);
    expect(await warehouse.sample(model, columns, 1)).toEqual([["1", "sales", "8MB", "off", "ISO, YMD", "7s", "1min"]]);
    await warehouse.close();
  });

  test("a server that is not there is unreachable", async () => {
    const warehouse = connect("postgres://nobody@127.0.0.1:1/nowhere");
    await expect(warehouse.check()).rejects.toMatchObject({ code: "unreachable" });
    await warehouse.close();
    await warehouse.close();
  });
});

describe("an error says what is wrong without the row's value", () => {
  let database: PostgresDatabase;
  beforeAll(async () => {
    const url = await server.database();
    await run(
      url,
      `create table faulty as select 'K-secret "1"'::text as id, 98765::integer as number`,
      "create table taken (id text primary key, number integer check (number < 5))",
      `insert into taken select id, 1 from faulty`,
      "create type mood as enum ('sad', 'ok')",
      `create function picky(value text) returns text language plpgsql as
        $$ begin raise exception 'not %', value using errcode = '22023', detail = value, hint = value; end $$`,
      `create function strict(value text) returns text language plpgsql as $$ begin assert false, value; end $$`,
    );
    const { hostname: host, port, username: user, pathname } = new URL(url);
    const through = { host, port: Number(port), user, database: pathname.slice(1) };
    database = new PostgresDatabase({ server: through, statementTimeoutMs: 60_000 });
  });
  afterAll(async () => database.close());

  test.each([
    ["a number that is none", "select id::integer from faulty", 'for type integer: "…"'],
    ["a number that is too large", "select (number * 2)::smallint from faulty", "smallint out of range"],
    ["a decimal that is too large", "select number::numeric(4, 0) from faulty", "precision 4, scale 0"],
    ["a date that is none", "select make_date(number, 13, 45) from faulty", "date field value out of range: …"],
    ["a member that an enum does not have", "select id::mood from faulty", 'enum mood: "…"'],
    ["a text that is no JSON", "select id::json from faulty", "for type json"],
    ["a text that is no XML", "select ('<a>' || id || '</b>')::xml from faulty", "invalid XML content"],
    ["a text that names no table", "select id::regclass from faulty", 'relation "…"|invalid name syntax'],
    ["a text that is no search", "select ('&' || id)::tsquery from faulty", 'tsquery: "…"'],
    ["a number that is no letter", "select chr(number * 99) from faulty", "too large for encoding: …"],
    ["a key that is taken", "insert into taken select id, 2 from faulty", "Key (id)=(…) already exists"],
    ["a row that breaks a rule", "insert into taken select 'a', number from faulty", '"taken_number_check"'],
    ["a key that is null", "insert into taken select null, number from faulty", 'column "id"'],
    ["a function's own exception", "select picky(id) from faulty", "function picky failed with 22023"],
    ["a function's own assertion", "select strict(id) from faulty", "function strict failed with P0004"],
  ])("%s", async (_, sql, says) => {
    const error = await database.transaction((session) => session.execute(sql)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "sql_error", message: expect.stringContaining("Postgres says") });
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret|98765|9777735|197530/i);
    expect(says.split("|").some((part) => inspect(error).includes(part))).toBe(true);
  });

  test("a row that is copied in", async () => {
    const rows = async function* (): AsyncIterable<readonly string[][]> {
      yield [["K-secret"]];
    };
    const error = await database
      .session(async (session) => {
        await session.execute("create temporary table numbers (id integer)");
        await session.append("numbers", [{ name: "id", type: "bigint" }], rows());
      })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "sql_error" });
    expect(inspect(error, { depth: 9 })).not.toContain("secret");
  });

  test("names that stand in the SQL are told", async () => {
    await expect(database.session((session) => session.query("select * from missing"))).rejects.toMatchObject({
      code: "table_not_found",
      message: expect.stringContaining('"missing"'),
    });
    await expect(database.session((session) => session.query("select nam from faulty"))).rejects.toMatchObject({
      code: "column_not_found",
      message: expect.stringContaining('"nam"'),
    });
  });

  test("a server that speaks another language", () => {
    const words = "ungültige Eingabesyntax für Typ integer: »K-secret«";
    const error = Object.assign(new pg.DatabaseError(words, 1, "error"), { code: "22P02" });
    expect(warehouseError(error).message).toBe('Postgres says: ungültige Eingabesyntax für Typ integer: "…"');
  });
});
