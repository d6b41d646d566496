/** Attacks 44–51: SQL that people write, and names and keys that come out of it. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Warehouse } from "../../src/warehouse.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import postgres from "../../src/warehouses/postgres/index.ts";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { House } from "./house.ts";

interface Place {
  readonly warehouse: Warehouse;
  /** What the warehouse holds besides Sluice's own, as one text. */
  contents(): Promise<string>;
}

let house: House;
let server: TestPostgres;
let folder: string;
const places: Record<string, Place> = {};

const setup = "create table accounts as select 1 as id, 'a' as name; create table other as select 2 as id";
const listed = `select (select count(*) from accounts) || ' ' || (select count(*) from other) || ' ' ||
  (select string_agg(table_name, ',' order by table_name) from information_schema.tables
   where table_schema in ('main', 'public'))`;

beforeAll(async () => {
  [house, server] = await Promise.all([House.open(), startPostgres()]);
  folder = mkdtempSync(join(tmpdir(), "sluice-sql-"));
  places["duckdb"] = await openDuckdb();
  places["postgres"] = await openPostgres();
});
afterAll(async () => {
  await Promise.all(Object.values(places).map(({ warehouse }) => warehouse.close()));
  await house?.[Symbol.asyncDispose]();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function openDuckdb(): Promise<Place> {
  const file = join(folder, "models.duckdb");
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  await connection.run(setup);
  connection.closeSync();
  instance.closeSync();
  const settings = duckdb.connection.parse({ path: file, threads: 1, statement_timeout_seconds: 1 });
  const warehouse = duckdb.connect(settings, { planner: { in: "warehouse", schema: "sluice" }, workspace: folder });
  const contents = async (): Promise<string> => {
    const model = { from: { sql: `select ${listed.slice(7)} as id` }, key: ["id"] };
    return String((await warehouse.sample(model, await warehouse.columns(model), 1))[0]?.[0]);
  };
  return { warehouse, contents };
}

/** By a role that may read the models, and owns the planner's schema only. */
async function openPostgres(): Promise<Place> {
  const url = await server.database();
  const owner = async (...statements: readonly string[]): Promise<string> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      let text = "";
      for (const statement of statements)
        text = String((await client.query<{ text: string }>(statement)).rows[0]?.text);
      return text;
    } finally {
      await client.end();
    }
  };
  const reader = new URL(url);
  reader.username = `reads_${reader.pathname.slice(1)}`;
  const role = `"${reader.username}"`;
  await owner(
    ...setup.split(";"),
    `create role ${role} login`,
    `create schema sluice authorization ${role}`,
    `grant select on all tables in schema public to ${role}`,
  );
  const settings = postgres.connection.parse({ url: reader.href, statement_timeout_seconds: 1 });
  const warehouse = postgres.connect(settings, { planner: { in: "warehouse", schema: "sluice" }, workspace: "/" });
  return { warehouse, contents: () => owner(`select ${listed.slice(7)} as text`) };
}

/** Why neither columns, rows, count nor plan of this SQL are to be had. */
async function refusalsOf({ warehouse }: Place, sql: string): Promise<readonly string[]> {
  const model = { from: { sql }, key: ["id"] };
  const codeOf = (error: unknown): string =>
    typeof error === "object" && error !== null && "code" in error ? String(error.code) : `no code: ${String(error)}`;
  const asked = [
    () => warehouse.columns(model),
    () => warehouse.sample(model, [{ name: "id", type: "integer", native: "integer" }], 1),
    () => warehouse.count(model),
  ];
  const codes: string[] = [];
  for (const ask of asked) codes.push(await ask().then(() => "done", codeOf));
  return codes;
}

describe.each(["duckdb", "postgres"])("%s", (name) => {
  const place = (): Place => {
    const found = places[name];
    if (!found) throw new Error(`${name} is not open`);
    return found;
  };

  test("44: a second statement is refused, however it is hidden", async () => {
    const before = await place().contents();
    for (const sql of [
      "select 1 as id; drop table other",
      "select 1 as id;; drop table other",
      "select 1 as id; -- x\ndrop table other",
      "select 1 as id /* ; */ ; drop table other --",
      "select 1 as id; select 2 as id",
      "select ';' as id; drop table other",
      "select $$;$$ as id; drop table other",
      "select 1 as id;\tdrop\ttable other",
    ])
      expect([sql, await refusalsOf(place(), sql)]).toEqual([sql, Array(3).fill("not_one_statement")]);
    expect(await place().contents()).toBe(before);
  });

  test("45: no bracket, quote or comment leads out of the statement around it", async () => {
    const before = await place().contents();
    for (const sql of [
      "select 1 as id) --",
      "select 1 as id) as x; drop table other; --",
      "select 1 as id) union (select 2",
      "select 1 as id /*",
      "select 1 as id */",
      "select 'open as id",
      'select "open as id',
      "select 1 as id from (select 1",
      "select $x$ open as id",
      "select 1 as id\0; drop table other",
      "",
      "--",
      ";",
    ]) {
      const codes = await refusalsOf(place(), sql);
      expect([sql, codes.filter((code) => !/^(not_one_statement|sql_error)$/.test(code))]).toEqual([sql, []]);
      const filter = { sql: sql === "" ? ")" : sql };
      const model = { from: { table: "accounts" }, key: ["id"], filter };
      await expect(place().warehouse.columns(model)).rejects.toHaveProperty("code");
    }
    expect(await place().contents()).toBe(before);
  });

  test("46: a statement that is no SELECT does nothing", async () => {
    const before = await place().contents();
    const stolen = join(folder, "stolen.csv");
    for (const sql of [
      "insert into other select 3",
      "delete from other",
      "update other set id = 9",
      "drop table other",
      "truncate other",
      "create table mine as select 1 as id",
      "alter table other add column x int",
      `copy other to '${stolen}'`,
      "call pg_sleep(0)",
      "grant all on accounts to public",
      "vacuum",
      "checkpoint",
      "begin",
      "commit",
      "set search_path = x",
      "with gone as (delete from other returning id) select * from gone",
      "with made as (insert into other values (3) returning id) select * from made",
      "prepare p as select 1",
      "explain analyze delete from other",
    ]) {
      const codes = await refusalsOf(place(), sql);
      // What is only looked at, to know its columns, is never executed.
      expect([sql, codes.slice(1).includes("done")]).toEqual([sql, false]);
    }
    expect(await place().contents()).toBe(before);
    expect(existsSync(stolen)).toBe(false);
  });

  test("48: a key is data, whatever it is", async () => {
    const { warehouse } = place();
    const keys = [
      "'; drop table other; --",
      "\\'",
      "%",
      "_",
      "''",
      '"',
      "a\nb",
      "🦆",
      "x".repeat(1_000_000),
      "$1",
      "?",
    ];
    for (const key of keys) {
      const model = { from: { sql: `select '${key.replaceAll("'", "''")}' as id` }, key: ["id"] };
      const columns = await warehouse.columns(model);
      expect((await warehouse.sample(model, columns, 1))[0]?.[0]).toBe(key);
      const filtered = { ...model, filter: { column: "id", is: "=", value: key } } as const;
      expect(await warehouse.count(filtered)).toBe(1);
      const others = { ...model, filter: { column: "id", is: "in", value: ["none", `${key}'`] } } as const;
      expect(await warehouse.count(others)).toBe(0);
    }
  });

  test("51: a query that never ends is ended, and wide or long ones leave memory as it was", async () => {
    const { warehouse } = place();
    const endless = {
      from: {
        sql: "with recursive r as (select 1 as id union all select 1 - id + id from r) select max(id) as id from r",
      },
      key: ["id"],
    };
    await expect(warehouse.count(endless)).rejects.toMatchObject({ code: "statement_timeout" });
    const before = process.memoryUsage().rss;
    const wide = Array.from({ length: 1500 }, (_, index) => `${index} as c${index}`).join(", ");
    const model = { from: { sql: `select 1 as id, ${wide}` }, key: ["id"] };
    expect(await warehouse.columns(model)).toHaveLength(1501);
    const long = { from: { sql: "select 1 as id from accounts" }, key: ["id"] };
    expect(await warehouse.sample(long, [{ name: "id", type: "integer", native: "integer" }], 1e9)).toHaveLength(1);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
    expect(await warehouse.count(long)).toBe(1);
  });
});

test("46: a DuckDB model reads no file and no address beside its database, unless its source says so", async () => {
  const secret = join(folder, "secret.csv");
  writeFileSync(secret, "id\nsecret-in-a-file\n");
  const { warehouse } = places["duckdb"] ?? {};
  for (const sql of [
    `select content as id from read_text('${secret}')`,
    `select * from read_csv('${secret}')`,
    `select file as id from glob('${folder}/*')`,
    `select * from '${secret}'`,
    "select content as id from read_text('/proc/self/environ')",
    "select * from read_csv('http://127.0.0.1:1/x.csv')",
    "select * from read_parquet('s3://bucket/x')",
  ]) {
    const asked = warehouse?.columns({ from: { sql }, key: ["id"] });
    await expect(asked, sql).rejects.toMatchObject({
      code: expect.stringMatching(/external_access_off|table_not_found/),
    });
  }
  const settings = duckdb.connection.parse({ path: join(folder, "open.duckdb"), external_access: true });
  const opened = duckdb.connect(settings, { planner: { in: "warehouse", schema: "sluice" }, workspace: folder });
  const model = { from: { sql: `select * from read_csv('${secret}')` }, key: ["id"] };
  expect(await opened.columns(model)).toHaveLength(1);
  await opened.close();
});

test("47: a column is a name, whatever it is called", async () => {
  const { warehouse } = places["duckdb"] ?? {};
  const hostile = ['a"b', '"; drop table other;--', "__proto__", "constructor", "x".repeat(255), "ü ', %"];
  for (const name of hostile) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const model = { from: { sql: `select 1 as id, 'v' as ${quoted}` }, key: ["id"] };
    const columns = (await warehouse?.columns(model)) ?? [];
    expect(columns.map((column) => column.name)).toEqual(["id", name]);
    expect(await warehouse?.sample(model, columns, 1)).toEqual([["1", "v"]]);
    expect(await warehouse?.count({ ...model, filter: { column: name, is: "=", value: "v" } })).toBe(1);
    const preview = await house.ask("PUT", "/v1/models/named", {
      body: { source: "warehouse", key: "id", sql: `select id, 'v' as ${quoted} from accounts limit 1` },
    });
    expect(preview.status).toBeLessThan(300);
    const draft = { from: { model: "named" }, fields: { name } };
    const { body } = await house.ask("POST", "/v1/syncs/companies/preview", { body: { draft, limit: 1 } });
    expect(body).toMatchObject({ records: [{ record: { name: "v" } }] });
  }
  const twice = { from: { sql: 'select 1 as id, 2 as "ID"' }, key: ["id"] };
  await expect(warehouse?.columns(twice)).rejects.toMatchObject({ code: "duplicate_column" });
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("49: what a list can be asked is a fixed set of plain texts", async () => {
  const started = performance.now();
  const queries = [
    "sort=id;select pg_sleep(5)",
    "sync[$ne]=x",
    "sync[]=a",
    "order=1",
    "status[in]=a,b",
    "sync=a&sync=b",
  ];
  for (const query of queries) {
    const { status } = await house.ask("GET", `/v1/runs?${query}`);
    expect([query, status]).toEqual([query, 422]);
  }
  for (const sync of ["';select pg_sleep(5)--", "a' or '1'='1", "\\'; --", "%", "_"])
    expect((await house.ask("GET", `/v1/runs?sync=${encodeURIComponent(sync)}`)).body["data"]).toEqual([]);
  expect((performance.now() - started) / (queries.length + 5)).toBeLessThan(100);
});

test("50: a table, key or match column that is not one is refused by name", async () => {
  const put = (body: object): ReturnType<House["ask"]> =>
    house.ask("PUT", "/v1/models/odd", { body: { source: "warehouse", key: "id", ...body } });
  const columns = (): ReturnType<House["ask"]> => house.ask("GET", "/v1/models/odd/columns");
  for (const table of [
    "accounts; drop table accounts",
    'acc"ounts',
    "accounts --",
    "(select 1)",
    "nothing",
    "a.b.c.d",
  ]) {
    await put({ table });
    expect([table, (await columns()).body["code"]]).toEqual([
      table,
      expect.stringMatching(/^(name_invalid|table_not_found|sql_error)$/),
    ]);
  }
  for (const key of ['id"', "id; drop table accounts", "nothing", "*"]) {
    await put({ table: "accounts", key });
    expect([key, (await columns()).body["code"]]).toEqual([key, "key_column_missing"]);
  }
  expect((await put({ table: "accounts", key: [] })).status).toBe(422);
  for (const schema of ['slu"ice', "a; drop table accounts"]) {
    const connection = { path: "warehouse.duckdb" };
    await house.ask("PUT", "/v1/sources/odd", {
      body: { type: "duckdb", connection, planner: { in: "warehouse", schema } },
    });
    expect((await house.ask("POST", "/v1/sources/odd/check")).body["code"]).toBe("name_invalid");
  }
  expect((await house.ask("POST", "/v1/models/accounts/sample")).body).toMatchObject({ of: 20 });
});
