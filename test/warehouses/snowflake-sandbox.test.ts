import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Connection, RowStatement } from "snowflake-sdk";
import serveSnowflake, { type ServedSnowflake } from "../../src/warehouses/snowflake/sandbox/index.ts";

// Or the driver asks the network which cloud it runs in, as soon as it is imported.
process.env["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true";
process.env["SNOWFLAKE_DISABLE_MINICORE"] = "1";
const { default: driver } = await import("snowflake-sdk");
// By default a cell that is not JSON is run as JavaScript.
const asItIs = (text: string): string => text;
driver.configure({
  logLevel: "OFF",
  additionalLogToConsole: false,
  jsonColumnVariantParser: asItIs,
  xmlColumnVariantParser: asItIs,
});

type Options = Readonly<Record<string, string | number | boolean>>;

const open: Connection[] = [];

async function connect(url: string, more: Options = {}): Promise<Connection> {
  const connection = driver.createConnection({
    accessUrl: url,
    account: "acme",
    username: "SLUICE",
    password: "right",
    database: "ANALYTICS",
    schema: "PUBLIC",
    warehouse: "SLUICE_WH",
    role: "SLUICE_ROLE",
    sfRetryMaxLoginRetries: 1,
    rowMode: "array",
    fetchAsString: ["Number", "Boolean", "Date", "JSON", "Buffer"] as never,
    representNullAsStringNull: false,
    ...more,
  });
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
  open.push(connection);
  return connection;
}

interface Ran {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly statement: RowStatement;
  readonly columns: readonly string[];
}

function run(connection: Connection, sqlText: string, more: object = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    connection.execute({
      sqlText,
      ...more,
      complete: (error, statement, rows) => {
        if (error) reject(error);
        else resolve({ statement, rows: (rows ?? []) as Ran["rows"], columns: described(statement) });
      },
    });
  });
}

/** Submits a statement without waiting for it, and gives its query's id. */
function submit(connection: Connection, sqlText: string): Promise<string> {
  return new Promise((resolve, reject) => {
    connection.execute({
      sqlText,
      asyncExec: true,
      complete: (error, statement) => (error ? reject(error) : resolve(statement.getQueryId())),
    });
  });
}

function described(statement: RowStatement): readonly string[] {
  return (statement.getColumns() ?? []).map((column) => `${column.getName()} ${column.getType()}`);
}

async function rows(connection: Connection, sql: string): Promise<Ran["rows"]> {
  return (await run(connection, sql)).rows;
}

async function close(connection: Connection): Promise<void> {
  await new Promise<void>((resolve) => connection.destroy(() => resolve()));
}

/** The code of what a promise fails with. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => "no error",
    (reason: unknown) => reason,
  );
  return String((error as { code?: unknown }).code ?? error);
}

let sandbox: ServedSnowflake;
let connection: Connection;

beforeAll(async () => {
  sandbox = await serveSnowflake({ inlineRows: 10, chunkRows: 100 });
  await sandbox.run("create schema marts");
  await sandbox.run(`create table marts.accounts as select i as account_id, 'name ' || i as name,
    cast(i * 1.25 as decimal(10,2)) as mrr from range(350) t(i)`);
  connection = await connect(sandbox.url);
});

afterEach(() => sandbox.faults.clear());

afterAll(async () => {
  await Promise.all(open.map(close));
  await sandbox.close();
});

describe("logins", () => {
  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const other = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  let guarded: ServedSnowflake;

  beforeAll(async () => {
    const user = { name: "sluice", password: "right", oauthToken: "oauth", programmaticToken: "pat" };
    guarded = await serveSnowflake({ users: [{ ...user, publicKey: pair.publicKey }] });
  });
  afterAll(() => guarded.close());

  const ways: readonly (readonly [string, Options, Options, string])[] = [
    ["a password", { password: "right" }, { password: "wrong" }, "390100"],
    [
      "a key pair",
      { authenticator: "SNOWFLAKE_JWT", privateKey: pair.privateKey },
      { authenticator: "SNOWFLAKE_JWT", privateKey: other.privateKey },
      "390144",
    ],
    ["an OAuth token", { authenticator: "OAUTH", token: "oauth" }, { authenticator: "OAUTH", token: "x" }, "390303"],
    [
      "a programmatic access token",
      { authenticator: "PROGRAMMATIC_ACCESS_TOKEN", token: "pat" },
      { authenticator: "PROGRAMMATIC_ACCESS_TOKEN", token: "x" },
      "394400",
    ],
  ];

  test.each(ways)("%s logs in, and a wrong one does not", async (_way, right, wrong, code) => {
    expect(await rows(await connect(guarded.url, right), "select current_user()")).toEqual([["SLUICE"]]);
    expect(await codeOf(connect(guarded.url, wrong))).toBe(code);
  });

  test("a session is where its client asked to be, under whatever database's name", async () => {
    const place = "select current_role(), current_warehouse(), current_database(), current_schema()";
    expect(await rows(connection, place)).toEqual([["SLUICE_ROLE", "SLUICE_WH", "ANALYTICS", "PUBLIC"]]);
    expect(await rows(connection, 'select count(*) from "ANYTHING".marts.accounts')).toEqual([["350"]]);
  });
});

describe("sessions", () => {
  test("a token that runs out is renewed, and the statement that met it runs once", async () => {
    await run(connection, "create or replace table renewed (a number)");
    sandbox.faults.add({ on: "query", statement: "into renewed", fault: { kind: "session_expired" } });
    expect((await run(connection, "insert into renewed values (1)")).statement.getNumUpdatedRows()).toBe(1);
    expect(await rows(connection, "select count(*) from renewed")).toEqual([["1"]]);
  });

  test("tokens are good for so long as the server says", async () => {
    const brief = await serveSnowflake({ tokenSeconds: 0.05 });
    try {
      const short = await connect(brief.url);
      await new Promise((resolve) => setTimeout(resolve, 80));
      expect(await rows(short, "select 1")).toEqual([["1"]]);
      await close(short);
    } finally {
      await brief.close();
    }
  });

  test("a session that is gone fails what is asked in it", async () => {
    const lost = await connect(sandbox.url);
    sandbox.faults.add({ statement: "select 'lost'", fault: { kind: "session_gone" } });
    expect(await codeOf(run(lost, "select 'lost'"))).toBe("407002");
    expect(await codeOf(run(lost, "select 1"))).toBe("407002");
  });

  test("a transaction is seen by others when it is committed, and not at all when it is rolled back", async () => {
    const second = await connect(sandbox.url);
    await run(connection, "create or replace table ledger (a number)");
    await run(connection, "begin transaction");
    await run(connection, "insert into ledger values (1)");
    expect(await rows(connection, "select count(*) from ledger")).toEqual([["1"]]);
    expect(await rows(second, "select count(*) from ledger")).toEqual([["0"]]);
    await run(connection, "commit");
    await run(second, "begin");
    await run(second, "delete from ledger");
    await run(second, "rollback");
    expect(await rows(second, "select count(*) from ledger")).toEqual([["1"]]);
  });

  test("a second writer waits for the first one's end, then sees what that one committed", async () => {
    const second = await connect(sandbox.url);
    await run(connection, "create or replace table guard (status varchar, fence number)");
    await run(connection, "insert into guard values ('open', 1)");
    const flip = "update guard set status = 'committed' where status = 'open'";
    for (const one of [connection, second]) {
      await run(one, "begin");
      await run(one, "select * from guard");
    }
    expect((await run(connection, flip)).statement.getNumUpdatedRows()).toBe(1);
    const late = run(second, flip);
    await run(connection, "commit");
    expect((await late).statement.getNumUpdatedRows()).toBe(0);
    await run(second, "commit");
  });

  test("without autocommit a write begins a transaction; what is defined is there at once", async () => {
    const second = await connect(sandbox.url);
    await run(second, "alter session set autocommit = false");
    await run(second, "create or replace table unsaid (a number)");
    await run(second, "insert into unsaid values (1)");
    expect(await rows(connection, "select count(*) from unsaid")).toEqual([["0"]]);
    await run(second, "commit");
    expect(await rows(connection, "select count(*) from unsaid")).toEqual([["1"]]);
    await close(second);
  });

  test("a transaction outlives its client, is shown by its name to its user, and is ended from elsewhere", async () => {
    const lost = await connect(sandbox.url);
    await run(connection, "create or replace table orphaned (a number)");
    await run(lost, "begin transaction name mine_7");
    const [[id = ""] = []] = await rows(lost, "select current_transaction()");
    await run(lost, "insert into orphaned values (1)");
    sandbox.faults.add({ statement: "values (2)", fault: { kind: "hang" } });
    const hanging = codeOf(run(lost, "insert into orphaned values (2)"));
    const shown = await rows(connection, "show transactions");
    expect(shown.map(([number, user, , name]) => [number, user, name])).toContainEqual([id, "SLUICE", "MINE_7"]);
    const stranger = await connect(sandbox.url, { username: "OTHER" });
    expect((await rows(stranger, "show transactions")).map(([number]) => number)).not.toContain(id);
    await run(stranger, `select system$abort_transaction(${id})`);
    expect((await rows(connection, "show transactions")).map(([number]) => number)).toContain(id);
    await run(connection, `select system$abort_transaction(${id})`);
    expect(await hanging).toBe("000604");
    expect(await rows(lost, "select current_transaction()")).toEqual([[null]]);
    // What comes after it is no part of it.
    await run(lost, "insert into orphaned values (3)");
    expect(await rows(connection, "select a from orphaned")).toEqual([["3"]]);
  });

  test("what a statement defines ends the transaction before it", async () => {
    await run(connection, "create or replace table kept (a number)");
    await run(connection, "begin");
    await run(connection, "insert into kept values (1)");
    await run(connection, "create or replace table other (a number)");
    await run(connection, "rollback");
    expect(await rows(connection, "select count(*) from kept")).toEqual([["1"]]);
  });
});

describe("queries", () => {
  test("a large answer comes in chunks, and one that is refused is fetched again", async () => {
    sandbox.faults.add({ on: "chunk", path: "/1", fault: { kind: "status", status: 403 } });
    const found = await rows(connection, "select account_id from marts.accounts order by account_id");
    expect(found.map(([id]) => Number(id))).toEqual(Array.from({ length: 350 }, (_, index) => index));
  });

  test("a request that is repeated is answered again and not run again", async () => {
    await run(connection, "create or replace table once (a number)");
    sandbox.faults.add({ on: "query", statement: "into once", fault: { kind: "drop_after" } });
    expect((await run(connection, "insert into once values (1)")).statement.getNumUpdatedRows()).toBe(1);
    expect(await rows(connection, "select count(*) from once")).toEqual([["1"]]);
  });

  test.each(["drop_before", "status"] as const)("the driver asks again after %s", async (kind) => {
    const fault = kind === "status" ? { kind, status: 503 } : { kind };
    sandbox.faults.add({ on: "query", statement: "'again'", fault });
    expect(await rows(connection, "select 'again'")).toEqual([["again"]]);
  });

  test("a statement that takes long is answered where the client is told to ask", async () => {
    const patient = await serveSnowflake({ answerSeconds: 0.05 });
    try {
      patient.faults.add({ statement: "'long'", fault: { kind: "slow", ms: 200 } });
      const client = await connect(patient.url);
      expect(await rows(client, "select 'long'")).toEqual([["long"]]);
      await close(client);
    } finally {
      await patient.close();
    }
  });

  test("a query that is only submitted is found by its id, from another session too", async () => {
    sandbox.faults.add({ statement: "'later'", fault: { kind: "slow", ms: 100 } });
    const queryId = await submit(connection, "select 'later'");
    const second = await connect(sandbox.url);
    expect(await second.getQueryStatus(queryId)).toBe("RUNNING");
    const result = await second.getResultsFromQueryId({ queryId, sqlText: "" });
    const found: unknown[] = [];
    for await (const row of result.streamRows()) found.push(row);
    expect(found).toEqual([["later"]]);
    expect(await second.getQueryStatus(queryId)).toBe("SUCCESS");
  });

  test.each([
    ["hangs", "select 'stop me'"],
    [
      "computes",
      "select count(*) from marts.accounts a, marts.accounts b, marts.accounts c, marts.accounts d where a.mrr + b.mrr + c.mrr > d.mrr + 1",
    ],
  ])("a statement that %s is stopped by who asked for it", async (how, sql) => {
    if (how === "hangs") sandbox.faults.add({ statement: "stop me", fault: { kind: "hang" } });
    const stopped = codeOf(
      new Promise((resolve, reject) => {
        const statement = connection.execute({
          sqlText: sql,
          complete: (error) => (error ? reject(error) : resolve(null)),
        });
        setTimeout(() => statement.cancel(() => undefined), 100);
      }),
    );
    expect(await stopped).toBe("000604");
    expect(await rows(connection, "select 1")).toEqual([["1"]]);
  });

  test("a statement that outlives its time is stopped", async () => {
    sandbox.faults.add({ statement: "'slow'", fault: { kind: "hang" } });
    const parameters = { STATEMENT_TIMEOUT_IN_SECONDS: 1 };
    expect(await codeOf(run(connection, "select 'slow'", { parameters }))).toBe("000630");
  });

  test("a query is described without being run", async () => {
    const { columns, rows: none } = await run(connection, "select account_id, mrr, 1/0 as x from marts.accounts", {
      describeOnly: true,
    });
    expect([columns, none]).toEqual([["ACCOUNT_ID fixed", "MRR fixed", "X real"], []]);
  });

  test("binds stand for the question marks, one row of them or many", async () => {
    await run(connection, "create or replace table bound (a number, b varchar, c timestamp_ntz)");
    const insert = "insert into bound (a, b, c) values (?, upper(?), ?)";
    const many = Array.from({ length: 500 }, (_, index) => [String(index), index % 2 === 0 ? "x'\"\\" : null, null]);
    expect((await run(connection, insert, { binds: many })).statement.getNumUpdatedRows()).toBe(500);
    await run(connection, insert, { binds: [500, "one", "2026-11-23 10:00:00.123456789"] });
    expect(
      (await run(connection, "select b from bound where a = :1 and b = :2", { binds: [2, "X'\"\\"] })).rows,
    ).toEqual([["X'\"\\"]]);
    expect(await rows(connection, "select to_char(c, 'FF9') from bound where a = 500")).toEqual([["123456789"]]);
  });

  test("what was asked is told with its tag, and never with a credential", async () => {
    await run(connection, "select 'tagged'", { parameters: { QUERY_TAG: '{"app":"sluice"}' } });
    const response = await (await fetch(`${sandbox.url}/_sandbox/requests`)).text();
    const asked = JSON.parse(response) as readonly Record<string, unknown>[];
    expect(asked.at(-1)).toMatchObject({ sql: "select 'tagged'", tag: '{"app":"sluice"}', status: "success", rows: 1 });
    expect(response).not.toContain("right");
  });
});

describe("values", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    [
      "cast('99999999999999999999999999999999999999' as number(38,0))",
      "fixed",
      "99999999999999999999999999999999999999",
    ],
    ["cast(12.50 as number(10,2))", "fixed", "12.50"],
    ["0.5::float", "real", "0.5"],
    ["'a\\'b\\n\"é🦆'", "text", "a'b\n\"é🦆"],
    ["''", "text", ""],
    ["1 = 1", "boolean", "TRUE"],
    ["'1969-12-31'::date", "date", "1969-12-31"],
    ["'2026-11-23 09:30:00.123456789'::timestamp_ntz", "timestamp_ntz", "2026-11-23 09:30:00.123456789"],
    ["'1969-12-31 23:59:59.5'::timestamp_ntz(6)", "timestamp_ntz", "1969-12-31 23:59:59.500000000"],
    ["'2026-11-23 09:30:00 +02:00'::timestamp_tz", "timestamp_tz", "2026-11-23 07:30:00.000000000 +0000"],
    ["'09:30:00.25'::time", "time", "09:30:00"],
    ["to_binary('00ff', 'HEX')", "binary", "00FF"],
    ["parse_json('{\"a\":[1,null]}')", "variant", '{"a":[1,null]}'],
  ];

  test.each(cases)("%s is %s and reaches the client whole", async (expression, type, text) => {
    await run(connection, "alter session set timestamp_ntz_output_format = 'YYYY-MM-DD HH24:MI:SS.FF9'");
    await run(connection, "alter session set timestamp_tz_output_format = 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM'");
    const { rows: found, columns } = await run(
      connection,
      `select v, case when 1 = 0 then v end as n from (select ${expression} as v)`,
    );
    expect([columns[0], found]).toEqual([`V ${type}`, [[text, null]]]);
  });

  test("values stay what they are in a table", async () => {
    await run(
      connection,
      `create or replace table kinds (a number(38,0), b timestamp_ntz(9), c binary(16), d variant, e boolean,
        f timestamp_tz(9)) data_retention_time_in_days = 0`,
    );
    await run(
      connection,
      `insert into kinds select 12345678901234567890123456789012345678, '2026-11-23 09:30:00.123456789',
        md5_binary('x'), object_construct('k', 1, 'n', null), true, sysdate()`,
    );
    const told = await run(
      connection,
      `select to_varchar(a), to_char(b, 'YYYY-MM-DD"T"HH24:MI:SS.FF9'), hex_encode(c) = upper(md5('x')), to_json(d), d:k::int from kinds`,
    );
    expect(told.rows).toEqual([
      ["12345678901234567890123456789012345678", "2026-11-23T09:30:00.123456789", "TRUE", '{"k":1}', "1"],
    ]);
  });
});

describe("SQL", () => {
  const answers: readonly (readonly [string, string | null])[] = [
    ["iff(1 > 2, 'a', 'b')", "b"],
    ["nvl(null, 'x')", "x"],
    ["greatest(1, null, 3)", null],
    ["equal_null(null, null)", "TRUE"],
    ["to_char(1.5, 'S9.99999999999999EEEE')", "+1.50000000000000E+00"],
    ["to_char('2026-11-23 09:30:00'::timestamp_ntz, 'HH24:MI:SS.FF6\"Z\"')", "09:30:00.000000Z"],
    ["to_varchar('2026-11-23 09:30:00'::timestamp_ntz)", "2026-11-23 09:30:00.000"],
    ["lower(hex_encode(md5_binary('a')))", "0cc175b9c0f1b6a831c399e269772661"],
    ["sha2('a')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
    ['parse_json(\'{"a":{"b":["x"]}}\'):a.b[0]::varchar', "x"],
    ["to_json(array_construct(1, 'a', null))", '[1,"a",null]'],
    ["listagg(column1, ',') within group (order by column1 desc) from values ('a'), ('b')", "b,a"],
    ["datediff('day', '2026-01-01', '2026-03-01')", "59"],
    ["to_char(dateadd(month, 1, '2026-01-31'::timestamp_ntz), 'YYYY-MM-DD')", "2026-02-28"],
    ["date_part(epoch_second, '1970-01-02'::timestamp_ntz)", "86400"],
    ["regexp_like('abc', 'b')", "FALSE"],
    ["split_part('a,b,c', ',', 2)", "b"],
    ["position('b' in 'abc')", "2"],
    ["try_cast('x' as number)", null],
    ["system$typeof(1)", "INTEGER"],
  ];

  test.each(answers)("select %s", async (expression, answer) => {
    expect(await rows(connection, `select ${expression}`)).toEqual([[answer]]);
  });

  test("names fold to capitals, and quoted ones are kept", async () => {
    await run(connection, 'create or replace table "lower" (plain number, "small" number, "Mixed Name" number)');
    const { columns } = await run(connection, 'select * from "lower"');
    expect(columns).toEqual(["PLAIN fixed", "small fixed", "Mixed Name fixed"]);
    const named = await rows(
      connection,
      "select table_name from information_schema.tables where table_name ilike 'lower'",
    );
    expect(named).toEqual([["lower"]]);
    const { columns: unnamed } = await run(
      connection,
      "select account_id, count(*), max(mrr) from marts.accounts group by 1",
    );
    expect(unnamed).toEqual(["ACCOUNT_ID fixed", "COUNT(*) fixed", "MAX(MRR) fixed"]);
  });

  test("MERGE says what became of the rows", async () => {
    await run(
      connection,
      "create or replace table target as select account_id as id, name from marts.accounts where account_id < 3",
    );
    const merged = await run(
      connection,
      `merge into target t using (select 1 as id, 'new' as name union all select 2, null union all select 9, 'nine') s on t.id = s.id
        when matched and s.name is null then delete
        when matched then update set name = s.name
        when not matched then insert (id, name) values (s.id, s.name)`,
    );
    expect([merged.columns.map((name) => name.split(" ")[3]), merged.rows]).toEqual([
      ["inserted", "updated", "deleted"],
      [["1", "1", "1"]],
    ]);
    expect(await rows(connection, "select id, name from target order by id")).toEqual([
      ["0", "name 0"],
      ["1", "new"],
      ["9", "nine"],
    ]);
  });

  test("an answer can be read again as a table", async () => {
    await run(connection, "show tables in schema marts");
    const again = "select name, schema_name from table(result_scan(last_query_id()))";
    expect(await rows(connection, again)).toEqual([["ACCOUNTS", "MARTS"]]);
  });

  test("a change of a table is seen in its token, and reading it is none", async () => {
    await run(connection, "create or replace table watched (a number)");
    const token = "select system$last_change_commit_time('PUBLIC.WATCHED')";
    const [before, after] = [await rows(connection, token), await rows(connection, token)];
    expect(after).toEqual(before);
    await run(connection, "insert into watched values (1)");
    expect(await rows(connection, token)).not.toEqual(before);
  });

  const refusals: readonly (readonly [string, string])[] = [
    ["select * from nowhere", "002003"],
    ["select nothing from marts.accounts", "000904"],
    ["select from where", "001003"],
    ["select 1 / 0", "100051"],
    ["select 'x'::number", "100038"],
    ["select cast(99999 as number(4,0))", "100039"],
    ["select 1; select 2", "000008"],
    ["select hash(1)", "000002"],
    ["select frobnicate(1)", "000002"],
    ["select * from table(flatten(input => parse_json('[]')))", "000002"],
    ["execute immediate $$ begin return 1; end $$", "000002"],
    ["create table copy clone marts.accounts", "000002"],
    ["merge into marts.accounts t using (select 1 a) s on s.a = 1 when not matched by source then delete", "001003"],
    ["create function f() returns int as '1'", "000002"],
    ["list @nowhere", "002003"],
  ];

  test.each(refusals)("%s is refused with %s", async (sql, code) => {
    expect(await codeOf(run(connection, sql))).toBe(code);
  });

  test("what is not known is refused by its name", async () => {
    await expect(run(connection, "select frobnicate(1)")).rejects.toThrow("FROBNICATE");
  });
});

describe("stages", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-sandbox-test-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("rows go to a stage as Parquet, to the client, and back into a table", async () => {
    const unload = `copy into @~/out/ from (select account_id, name from marts.accounts)
      file_format = (type = parquet) header = true max_file_size = 67108864`;
    expect((await rows(connection, unload))[0]?.[0]).toBe("350");
    await run(connection, `get @~/out/ 'file://${folder}/'`);
    const [file = ""] = readdirSync(folder);
    expect(file).toMatch(/\.parquet$/);
    await run(
      connection,
      `put 'file://${join(folder, file)}' @~/in/ auto_compress = false source_compression = parquet`,
    );
    expect((await rows(connection, "list @~/in/")).length).toBe(1);
    await run(connection, "create or replace table loaded (id number, name varchar)");
    const load = `copy into loaded (id, name) from (select $1:ACCOUNT_ID::number, $1:NAME::varchar from @~/in/)
      file_format = (type = parquet) on_error = abort_statement`;
    expect((await rows(connection, load))[0]?.slice(1, 4)).toEqual(["LOADED", "350", "350"]);
    // A file is loaded once.
    await run(connection, load);
    expect(await rows(connection, "select count(*), min(name) from loaded")).toEqual([["350", "name 0"]]);
    expect(await rows(connection, "select $1:NAME::varchar from @~/in/ order by 1 limit 1")).toEqual([["name 0"]]);
    expect((await rows(connection, "remove @~/in/")).length).toBe(1);
    expect(await rows(connection, "list @~/in/")).toEqual([]);
  });

  test("files on a stage with a name are loaded by the names of their columns", async () => {
    await run(connection, "create stage if not exists incoming file_format = (type = parquet)");
    await run(
      connection,
      `copy into @incoming/day/ from (select account_id as id, 'extra' as extra from marts.accounts)
        file_format = (type = parquet) header = true detailed_output = true`,
    );
    await run(connection, "create or replace table by_name (name varchar, id number)");
    await run(
      connection,
      "copy into by_name from @incoming/day/ file_format = (type = parquet) match_by_column_name = case_insensitive",
    );
    expect(await rows(connection, "select count(*), count(name), max(id) from by_name")).toEqual([["350", "0", "349"]]);
  });

  test("what is there is not unloaded upon, and moments with a zone are not unloaded", async () => {
    const unload = (select: string): string => `copy into @~/taken/ from (${select}) file_format = (type = parquet)`;
    await run(connection, unload("select 1"));
    expect(await codeOf(run(connection, unload("select 1")))).toBe("001030");
    expect(await codeOf(run(connection, `${unload("select current_timestamp()")} overwrite = true`))).toBe("100096");
  });

  test("a file that is put with a name of the driver's own choice is stored as it is", async () => {
    const file = join(folder, "plain.txt");
    writeFileSync(file, "hello");
    await run(connection, `put file://${file} @~/text/ auto_compress=false`);
    expect((await rows(connection, "list @~/text/"))[0]?.slice(0, 2)).toEqual(["text/plain.txt", "5"]);
  });
});

describe("a role that may only read", () => {
  test("writes nothing but temporary tables and its own stage", async () => {
    const locked = await serveSnowflake({ readOnly: true });
    try {
      await locked.run("create table accounts as select 1 as id");
      const reader = await connect(locked.url);
      for (const sql of [
        "insert into accounts values (2)",
        "delete from accounts",
        "create table t (a number)",
        "create schema s",
        "drop table accounts",
        "create stage s",
      ]) {
        expect(await codeOf(run(reader, sql)), sql).toBe("003001");
      }
      await run(reader, "create temporary table own as select * from accounts");
      await run(reader, "insert into own values (2)");
      await run(reader, "copy into @~/out/ from (select * from own) file_format = (type = parquet)");
      expect(await rows(reader, "select count(*) from own")).toEqual([["2"]]);
      await close(reader);
    } finally {
      await locked.close();
    }
  });
});

describe("control", () => {
  test("a reset forgets sessions, stages, faults and what was asked", async () => {
    const fresh = await serveSnowflake();
    try {
      const client = await connect(fresh.url);
      await run(client, "copy into @~/out/ from (select 1 as one) file_format = (type = parquet)");
      const fault = { on: "query", fault: { kind: "status", status: 500 }, times: null };
      expect(
        (await fetch(`${fresh.url}/_sandbox/faults`, { method: "POST", body: JSON.stringify(fault) })).status,
      ).toBe(204);
      expect((await fetch(`${fresh.url}/_sandbox/reset`, { method: "POST" })).status).toBe(204);
      expect(await (await fetch(`${fresh.url}/_sandbox/requests`)).json()).toEqual([]);
      expect(await codeOf(run(client, "select 1"))).toBe("407002");
      expect(await rows(await connect(fresh.url), "list @~")).toEqual([]);
    } finally {
      await fresh.close();
    }
  });

  test("a fault that is none is refused", async () => {
    const body = JSON.stringify({ fault: { kind: "surprise" } });
    expect((await fetch(`${sandbox.url}/_sandbox/faults`, { method: "POST", body })).status).toBe(422);
  });

  test("the data outlives the server in its file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-sandbox-test-"));
    try {
      const database = join(folder, "data.duckdb");
      const first = await serveSnowflake({ database });
      await run(await connect(first.url), "create table kept as select 1 as id");
      await first.close();
      const second = await serveSnowflake({ database });
      await vi.waitFor(async () => expect(await second.query("select id from kept")).toEqual([["1"]]));
      await second.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
