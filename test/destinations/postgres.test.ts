/** The Postgres destination on a real server: what it finds there, what it writes, and what it tells of it. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import postgres from "../../destinations/postgres/index.ts";
import createSandbox from "../../destinations/postgres/sandbox.ts";
import { openRequest } from "../../src/connection/request.ts";
import type { Batch, Change, Connection, DestinationRecord, Operation, Outcome } from "../../src/destination.ts";
import { createDial } from "../../src/dial.ts";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import { openPlace, swiftClock } from "./place.ts";
import fixture from "./postgres.fixture.ts";
import { unlimited } from "../memory-ledger.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Database {
  readonly url: string;
  readonly connection: Connection;
  readonly connect: (settings: Readonly<Record<string, unknown>>) => Connection;
  readonly sql: (sql: string) => Promise<readonly Record<string, unknown>[]>;
}

/** A database with these tables, and a connection to it as the service makes one. */
async function database(sql: string): Promise<Database> {
  const url = await server.database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  closing.push(() => client.end());
  client.on("error", () => undefined);
  await client.query(sql);
  const { host, pathname, username, password } = new URL(url);
  const connect: Database["connect"] = (settings) => {
    const config = postgres.connection.parse({
      base_url: `postgres://${host}${pathname}?sslmode=disable`,
      user: username,
      password: password || "not asked for",
      ...settings,
    }) as Parameters<typeof postgres.connect>[0];
    const clock = swiftClock();
    const dial = createDial({ adapter: postgres, name: "crm", secrets: [], allowed: ["127.0.0.0/8"] });
    const request = openRequest({
      turns: unlimited,
      clock,
      secrets: [],
      onExchange: () => undefined,
    });
    const connection = postgres.connect(config, { ...contextOf(fetch), dial, request });
    closing.push(async () => connection.close?.());
    return connection;
  };
  return { url, connection: connect({}), connect, sql: async (text) => (await client.query(text)).rows };
}

function change(seq: number, match: DestinationRecord, record: DestinationRecord = {}): Change {
  return { seq, match, record, destinationId: undefined, renamed: false };
}

function batch(object: string, operation: Operation, changes: readonly Change[]): Batch {
  const [first] = changes;
  const [match, fields] = [Object.keys(first?.match ?? {}), Object.keys(first?.record ?? {})];
  return { object: `public.${object}`, settings: {}, operation, match, fields, changes, id: "1" };
}

const told = (outcomes: readonly Outcome[]): unknown[] =>
  outcomes.map((one) => (one.kind === "rejected" ? [one.seq, one.code, one.field] : [one.seq, one.kind]));

const typed = `
  create type mood as enum ('good', 'bad');
  create domain cents as integer not null check (value >= 0);
  create table typed (
    id bigint generated always as identity primary key,
    small smallint, whole integer, large bigint, exact numeric, money numeric(6, 2), rough double precision,
    yes boolean, day date, at timestamptz, local timestamp, "of" time, took interval,
    words text, brief varchar(5), fixed char(3), who uuid, mood mood, tags text[], moods mood[], sizes int[],
    doc jsonb, plain json, raw bytea, address inet, price cents default 0,
    twice integer generated always as (whole * 2) stored,
    needed text not null, key text not null unique);
  comment on column typed.words is 'What they say';
  create table pairs (a text, b integer, c text, unique (a, b));
  create table partial (a text, b text, deleted boolean);
  create unique index on partial (a) where not deleted;
  create unique index on partial (lower(b));
  create table put_off (a text unique deferrable, b text);
  create view seen as select * from pairs;
  create schema other; create table other."My table" (a text primary key);
`;

describe("what is found", () => {
  test("are the tables that the role may read, in all schemas", async () => {
    const { connection } = await database(typed);
    const names = (await connection.objects()).map(({ name }) => name);
    expect(names).toEqual(["other.My table", "public.pairs", "public.partial", "public.put_off", "public.typed"]);
  });

  test("are columns with type, length, options, need, and whether they can be written", async () => {
    const { connection } = await database(typed);
    const { fields } = await connection.describe("public.typed", {});
    const types = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
    expect(types).toEqual({
      id: "integer",
      small: "integer",
      whole: "integer",
      large: "integer",
      exact: "number",
      money: "number",
      rough: "number",
      yes: "boolean",
      day: "date",
      at: "datetime",
      local: "datetime",
      of: "text",
      took: "text",
      words: "text",
      brief: "text",
      fixed: "text",
      who: "text",
      mood: "enum",
      tags: "multi_enum",
      moods: "multi_enum",
      sizes: "json",
      doc: "json",
      plain: "json",
      raw: "text",
      address: "text",
      price: "integer",
      twice: "integer",
      needed: "text",
      key: "text",
    });
    const having = (wanted: (field: (typeof fields)[number]) => unknown): string[] =>
      fields.filter((field) => wanted(field) === true).map(({ name }) => name);
    expect(having(({ writable }) => !writable)).toEqual(["id", "twice"]);
    expect(having(({ required }) => required)).toEqual(["needed", "key"]);
    expect(having(({ exact }) => exact)).toEqual(["id", "large", "exact", "money"]);
    expect(having(({ matches }) => matches)).toEqual(["id", "key"]);
    expect(fields.find(({ name }) => name === "brief")?.maxLength).toBe(5);
    expect(fields.find(({ name }) => name === "words")?.title).toBe("What they say");
    expect(fields.find(({ name }) => name === "moods")?.options?.map(({ value }) => value)).toEqual(["good", "bad"]);
  });

  test("finds rows by what is unique for all of them and at once, and by all of its columns together", async () => {
    const { connection } = await database(typed);
    const matching = async (table: string): Promise<string[]> =>
      (await connection.describe(`public.${table}`, {})).fields.flatMap(({ name, matches }) => (matches ? [name] : []));
    expect(await matching("pairs")).toEqual(["a", "b"]);
    expect(await matching("partial")).toEqual([]);
    expect(await matching("put_off")).toEqual([]);
    expect((await connection.describe("public.partial", {})).modes).toEqual(["append"]);
    const half = connection.write(batch("pairs", "upsert", [change(1, { a: "x" }, { c: "y" })]));
    expect(await failureOf(half)).toMatchObject({ kind: "unauthorized", code: "match_incomplete" });
    const whole = await connection.write(batch("pairs", "upsert", [change(1, { b: 7, a: "x" }, { c: "y" })]));
    expect(told(whole)).toEqual([[1, "accepted"]]);
  });

  test("finds no row by a column that takes different texts for one", async () => {
    const { connection } = await database(`
      create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table people (email text collate blind primary key, name text);`);
    expect((await connection.describe("public.people", {})).fields[0]?.matches).toBe(false);
    const written = connection.write(batch("people", "upsert", [change(1, { email: "a" }, { name: "b" })]));
    expect(await failureOf(written)).toMatchObject({ code: "match_incomplete" });
  });
});

describe("a value", () => {
  test("of every type comes out as it was meant", async () => {
    const { connection, sql } = await database(typed);
    const record = {
      small: -32_768,
      whole: 7,
      large: "9223372036854775807",
      exact: "0.1000000000000000000000001",
      money: "-1234.50",
      rough: 1e-7,
      yes: false,
      day: "2026-11-30",
      at: "2026-11-30T08:00:00.123456Z",
      local: "2026-11-30T08:00:00.000000Z",
      of: "08:30",
      took: "90 minutes",
      words: `'; drop table typed; --\\`,
      brief: "fünf!",
      fixed: "ab",
      who: "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      mood: "bad",
      tags: ['a"b', "c,d", "NULL", "", "{}", "e\\f"],
      moods: ["good"],
      sizes: [1, null, 3],
      doc: { a: [1, "ü"] },
      plain: { b: null },
      raw: "00ff",
      address: "10.0.0.1",
      price: 3,
      needed: "",
    };
    expect(told(await connection.write(batch("typed", "upsert", [change(1, { key: "k" }, record)])))).toEqual([
      [1, "accepted"],
    ]);
    const [row] = await sql("select to_json(t) as row from typed t");
    expect(row?.["row"]).toMatchObject({
      small: -32_768,
      whole: 7,
      rough: 1e-7,
      yes: false,
      day: "2026-11-30",
      of: "08:30:00",
      took: "01:30:00",
      local: "2026-11-30T08:00:00",
      words: record.words,
      brief: "fünf!",
      fixed: "ab ",
      mood: "bad",
      who: record.who.toLowerCase(),
      tags: record.tags,
      moods: ["good"],
      sizes: [1, null, 3],
      doc: record.doc,
      plain: record.plain,
      raw: "\\x00ff",
      address: "10.0.0.1",
      price: 3,
      twice: 14,
    });
    const [digits] = await sql(
      "select large::text, exact::text, money::text, at = '2026-11-30T08:00:00.123456Z' as at from typed",
    );
    expect(digits).toEqual({ large: record.large, exact: record.exact, money: record.money, at: true });
  });

  test.each<[code: string, record: DestinationRecord]>([
    ["not_storable", { words: "a\0b" }],
    ["not_storable", { words: "\ud800" }],
    ["not_storable", { doc: { a: "\0" } }],
    ["not_storable", { tags: ["\0"] }],
    ["out_of_range", { small: 32_768 }],
    ["out_of_range", { large: "9223372036854775808" }],
    ["out_of_range", { money: "10000" }],
    ["number_not_exact", { money: "1.005" }],
    ["not_an_integer", { whole: 1.5 }],
    ["not_a_number", { exact: "seven" }],
    ["too_long", { brief: "sixsix" }],
    ["not_an_option", { mood: "ugly" }],
    ["not_a_uuid", { who: "42" }],
    ["not_hex", { raw: "xyz" }],
    ["not_a_boolean", { yes: "perhaps" }],
    ["not_a_list", { tags: "a" }],
    ["not_text", { words: { a: 1 } }],
    ["not_clearable", { price: null }],
    ["unknown_field", { colour: "red" }],
  ])(
    "that Postgres would refuse, or keep as another one, is told before anything is sent: %s",
    async (code, record) => {
      const { connection, sql } = await database(typed);
      const [field] = Object.keys(record);
      const one = change(1, { key: "k" }, { needed: "x", ...record });
      expect(told(await connection.write(batch("typed", "upsert", [one])))).toEqual([[1, code, field]]);
      expect(await sql("select 1 from typed")).toEqual([]);
    },
  );
});

const accounts = `
  create table accounts (id serial primary key, key text unique, name text default 'unnamed', seats integer check (seats >= 0));`;
const keys = (sql: Database["sql"]): Promise<unknown[]> =>
  sql("select key, name, seats from accounts order by key").then((rows) => rows.map((row) => Object.values(row)));

describe("a write", () => {
  test("leaves what a record leaves out as it is, row by row, and fills it where the row is new", async () => {
    const { connection, sql } = await database(
      `${accounts} insert into accounts (key, name, seats) values ('a', 'A', 1)`,
    );
    const changes = [change(1, { key: "a" }, { seats: 2 }), change(2, { key: "b" }, { seats: 3 })];
    const others = [change(3, { key: "c" }, { name: null, seats: 4 })];
    const outcomes = await connection.write(batch("accounts", "upsert", [...changes, ...others]));
    expect(outcomes.map((one) => (one.kind === "accepted" ? one.destinationId : one))).toEqual(["1", "2", "3"]);
    expect(await keys(sql)).toEqual([
      ["a", "A", 2],
      ["b", "unnamed", 3],
      ["c", null, 4],
    ]);
  });

  test("of rows that are there uses up no number of a sequence", async () => {
    const { connection, sql } = await database(accounts);
    const changes = [change(1, { key: "a" }, { seats: 2 })];
    for (let times = 0; times < 5; times += 1) await connection.write(batch("accounts", "upsert", changes));
    expect(await sql("select last_value::int as n from accounts_id_seq")).toEqual([{ n: 1 }]);
  });

  test("changes rows without what only a new one needs, which is told where the row is not there", async () => {
    const { connection } = await database(`
      create table people (email text primary key, name text not null, city text);
      insert into people values ('a', 'A', 'X');`);
    const changes = [change(1, { email: "a" }, { city: "Y" }), change(2, { email: "b" }, { city: "Y" })];
    expect(told(await connection.write(batch("people", "upsert", changes)))).toEqual([
      [1, "accepted"],
      [2, "required_field_missing", "name"],
    ]);
  });

  test("that breaks a constraint is refused whole, says which, and changes nothing", async () => {
    const { connection, sql } = await database(accounts);
    const changes = [change(1, { key: "a" }, { seats: 2 }), change(2, { key: "b" }, { seats: -1 })];
    const error = await failureOf(connection.write(batch("accounts", "upsert", changes)));
    expect(error).toMatchObject({ kind: "refused", applied: "no", code: "23514" });
    expect(error.message).toContain("accounts_seats_check");
    expect(error.message).not.toContain("Failing row");
    expect(await keys(sql)).toEqual([]);
  });

  test("of a row that a trigger leaves out or gives another key is in doubt, and the others are not", async () => {
    const { connection } = await database(`${accounts}
      create function odd() returns trigger language plpgsql as $$ begin
        if new.key = 'gone' then return null; end if;
        new.key := replace(new.key, '!', ''); return new; end $$;
      create trigger odd before insert on accounts for each row execute function odd();`);
    const changes = ["a", "gone", "b!"].map((key, at) => change(at, { key }, { seats: 1 }));
    expect(kinds(await connection.write(batch("accounts", "upsert", changes)))).toEqual([
      [0, "accepted"],
      [1, "in_doubt"],
      [2, "in_doubt"],
    ]);
    const appended = connection.write(
      batch("accounts", "append", [change(1, { key: "z" }), change(2, { key: "gone" })]),
    );
    expect(await failureOf(appended)).toMatchObject({ kind: "refused", code: "row_left_out", applied: "no" });
  });

  test("by insert takes a row that is there just so for its own, and rejects another", async () => {
    const { connection, sql } = await database(
      `${accounts} insert into accounts (key, name, seats) values ('a', 'A', 1), ('b', 'B', 1)`,
    );
    const changes = ["a", "b", "c"].map((key, at) => change(at, { key }, { name: "A", seats: 1 }));
    expect(told(await connection.write(batch("accounts", "insert", changes)))).toEqual([
      [0, "accepted"],
      [1, "already_there", undefined],
      [2, "accepted"],
    ]);
    expect(await keys(sql)).toContainEqual(["b", "B", 1]);
  });

  test("by append adds every row, in a table without any key too", async () => {
    const { connection, sql } = await database("create table log (what text, at timestamptz default now())");
    const changes = [1, 2, 3].map((seq) => change(seq, {}, { what: "same" }));
    for (let times = 0; times < 2; times += 1)
      expect(kinds(await connection.write(batch("log", "append", changes)))).toEqual(
        [1, 2, 3].map((seq) => [seq, "accepted"]),
      );
    expect(await sql("select count(*)::int as n from log")).toEqual([{ n: 6 }]);
  });

  test("that deletes says which row is still there, and takes one that is not for deleted", async () => {
    const { connection } = await database(`${accounts} insert into accounts (key) values ('a'), ('kept');
      create function keep() returns trigger language plpgsql as $$ begin
        return case when old.key = 'kept' then null else old end; end $$;
      create trigger keep before delete on accounts for each row execute function keep();`);
    const changes = ["a", "kept", "never"].map((key, at) => change(at, { key }));
    expect(told(await connection.write(batch("accounts", "delete", changes)))).toEqual([
      [0, "accepted"],
      [1, "row_kept", undefined],
      [2, "accepted"],
    ]);
  });

  test("of a row with another key finds it by its own id, and makes it anew where it is gone", async () => {
    const { connection, sql } = await database(`${accounts} insert into accounts (key, seats) values ('old', 1)`);
    const renamed = (seq: number, key: string, id: string): Change => ({
      ...change(seq, { key }, { seats: 5 }),
      destinationId: id,
      renamed: true,
    });
    const outcomes = await connection.write(
      batch("accounts", "upsert", [renamed(1, "new", "1"), renamed(2, "lost", "99")]),
    );
    expect(outcomes).toMatchObject([
      { kind: "accepted", destinationId: "1" },
      { kind: "accepted", destinationId: "2" },
    ]);
    expect(await sql("select id, key from accounts order by id")).toEqual([
      { id: 1, key: "new" },
      { id: 2, key: "lost" },
    ]);
  });
});

describe("a server", () => {
  test("that lacks a grant is told apart from one that refuses a row", async () => {
    const { connection, connect, sql } = await database(`${accounts}
      drop role if exists reader; create role reader login password 'reader-pass';
      grant usage on schema public to reader; grant select on accounts to reader;`);
    closing.push(async () => void (await sql("drop owned by reader; drop role reader")));
    const reader = connect({ user: "reader", password: "reader-pass" });
    expect((await reader.check()).account).toMatch(/as reader, Postgres \d+/);
    const { fields } = await reader.describe("public.accounts", {});
    expect(fields.filter(({ writable }) => writable)).toEqual([]);
    const changes = [change(1, { key: "a" }, { seats: 2 })];
    const denied = failureOf(reader.write(batch("accounts", "upsert", changes)));
    expect(await denied).toMatchObject({ kind: "unauthorized", code: "42501", applied: "no" });
    expect(kinds(await connection.write(batch("accounts", "upsert", changes)))).toEqual([[1, "accepted"]]);
    expect(await failureOf(connect({ user: "nobody" }).check())).toMatchObject({ kind: "unauthorized", applied: "no" });
  });

  test("on which another holds the row is busy, and has applied nothing", async () => {
    const { connect, sql } = await database(`${accounts} insert into accounts (key) values ('a')`);
    const hasty = connect({ statement_timeout_seconds: 1 });
    await sql("begin");
    await sql("update accounts set seats = 9");
    const error = await failureOf(hasty.write(batch("accounts", "upsert", [change(1, { key: "a" }, { seats: 2 })])));
    await sql("rollback");
    expect(error).toMatchObject({ kind: "busy", code: "55P03", applied: "no" });
  });

  test("is asked to end what nobody waits for any more", async () => {
    const { connection, sql } = await database(`${accounts}
      create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(15); return new; end $$;
      create trigger slow before insert on accounts for each row execute function slow();`);
    await connection.describe("public.accounts", {});
    const stop = new AbortController();
    const written = connection.write(batch("accounts", "upsert", [change(1, { key: "a" }, { seats: 2 })]), stop.signal);
    const active = async (): Promise<unknown[]> => [
      ...(await sql(
        "select 1 from pg_stat_activity where application_name = 'sluice' and state = 'active' and query like 'with %' and datname = current_database()",
      )),
    ];
    await expect.poll(active, { timeout: 10_000 }).toHaveLength(1);
    stop.abort(new Error("stopped"));
    await expect(written).rejects.toThrow("stopped");
    await expect.poll(active, { timeout: 10_000 }).toEqual([]);
    expect(await keys(sql)).toEqual([]);
  });

  test("that is lost at COMMIT may have applied the batch; before it, it has not", async () => {
    const { connection, sql } = await database(`${accounts}
      create function die() returns trigger language plpgsql as $$ begin
        perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
      create constraint trigger die after insert on accounts deferrable initially deferred
        for each row when (new.seats = 13) execute function die();
      create constraint trigger now after insert on accounts for each row when (new.seats = 14) execute function die();`);
    const write = (seats: number): Promise<readonly Outcome[]> =>
      connection.write(batch("accounts", "upsert", [change(1, { key: "a" }, { seats })]));
    expect(await failureOf(write(13))).toMatchObject({ kind: "unavailable", applied: "unknown" });
    expect(await failureOf(write(14))).toMatchObject({ kind: "unavailable", applied: "no" });
    expect(kinds(await write(15))).toEqual([[1, "accepted"]]);
    expect(await keys(sql)).toEqual([["a", "unnamed", 15]]);
  });

  test("that finds at COMMIT what was put off till then has applied nothing", async () => {
    const { connection } = await database(`${accounts}
      create table seats (account text unique references accounts (key) deferrable initially deferred, n integer);`);
    const orphan = batch("seats", "upsert", [change(1, { account: "nobody" }, { n: 1 })]);
    expect(await failureOf(connection.write(orphan))).toMatchObject({ kind: "refused", code: "23503", applied: "no" });
  });

  test("is given no more than four connections at a time, and none when all is done", async () => {
    const { connection, sql } = await database(accounts);
    const writes = Array.from({ length: 20 }, (_, at) =>
      connection.write(batch("accounts", "upsert", [change(at, { key: `k${at}` }, { seats: at })])),
    );
    expect((await Promise.all(writes)).flat().every(({ kind }) => kind === "accepted")).toBe(true);
    const open = async (): Promise<number> =>
      (await sql("select 1 from pg_stat_activity where application_name = 'sluice' and datname = current_database()"))
        .length;
    expect(await open()).toBeLessThanOrEqual(4);
    await connection.close?.();
    await expect.poll(open, { timeout: 5000 }).toBe(0);
  });
});

describe("settings", () => {
  test("name one place, however they name it, and no credential in it", () => {
    const place = (given: object): string | undefined =>
      postgres.place?.(postgres.connection.parse(given) as Parameters<typeof postgres.connect>[0]);
    expect(place({ base_url: "postgres://DB.example.com/crm", user: "u", password: "p" })).toBe(
      "postgres://db.example.com:5432/crm",
    );
    expect(place({ url: "postgresql://u:p%40ss@db.example.com:5432/crm?sslmode=require" })).toBe(
      "postgres://db.example.com:5432/crm",
    );
  });

  test.each([
    {},
    { base_url: "postgres://db/crm" },
    { base_url: "postgres://db/crm", user: "u" },
    { base_url: "postgres://db/crm", user: "u", password: "" },
    { base_url: "postgres://db/crm", user: "u", password: "p", url: "postgres://u@db/crm" },
    { base_url: "https://db/crm", user: "u", password: "p" },
    { base_url: "postgres://db", user: "u", password: "p" },
    { url: "postgres:///crm" },
  ])("that say too little, too much or something else are refused: %j", (given) => {
    expect(postgres.connection.safeParse(given).success).toBe(false);
  });

  test("without a password take none from the service's own environment", async () => {
    const [object] = fixture.objects;
    if (!object) throw new Error("the fixture has no object");
    await using place = await openPlace({ adapter: postgres, createSandbox, fixture, object });
    process.env["PGPASSWORD"] = String(fixture.connection["password"]);
    try {
      const url = place.url.replace("postgres://", "postgres://sluice@");
      const nothing = { base_url: undefined, user: undefined, password: undefined };
      const error = await failureOf(place.connect({ ...nothing, url }).check());
      expect(error).toMatchObject({ kind: "unauthorized", code: "28P01" });
    } finally {
      delete process.env["PGPASSWORD"];
    }
  });
});
