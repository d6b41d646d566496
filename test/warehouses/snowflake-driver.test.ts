/** What Snowflake's driver does by default, and Sluice does not let it do. */
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WarehouseError } from "../../src/errors.ts";
import type { ModelQuery, Warehouse } from "../../src/warehouse.ts";
import snowflake, { openDatabase } from "../../src/warehouses/snowflake/index.ts";
import serveSnowflake, { type ServedSnowflake } from "../../src/warehouses/snowflake/sandbox/index.ts";

const terms = { match: ["id"], salt: "s", scope: "changes", removals: true } as const;
const opened: { close(): Promise<void> }[] = [];

function connect(url: string, more: object = { password: "right" }): Warehouse {
  const given = { account: "acme-eu1", username: "sluice", database: "SANDBOX", schema: "PUBLIC", base_url: url };
  const warehouse = snowflake.connect(snowflake.connection.parse({ ...given, ...more }), {
    planner: { in: "warehouse", schema: "PLANNER" },
    workspace: "/",
  });
  opened.push(warehouse);
  return warehouse;
}

const connection = (url: string): Parameters<typeof openDatabase>[0] =>
  snowflake.connection.parse({
    account: "acme-eu1",
    username: "sluice",
    password: "right",
    database: "SANDBOX",
    schema: "PUBLIC",
    base_url: url,
  });

async function served(options: Parameters<typeof serveSnowflake>[0] = {}): Promise<ServedSnowflake> {
  const sandbox = await serveSnowflake(options);
  opened.unshift(sandbox);
  return sandbox;
}

const table = (name: string): ModelQuery => ({ from: { table: name }, key: ["id"] });

async function firstRow(warehouse: Warehouse, model: ModelQuery): Promise<readonly (string | null)[]> {
  const [row = []] = await warehouse.sample(model, await warehouse.columns(model), 1);
  return row;
}

async function failure(work: Promise<unknown>): Promise<WarehouseError> {
  const error: unknown = await work.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof WarehouseError) return error;
  throw error;
}

let sandbox: ServedSnowflake;
let warehouse: Warehouse;

beforeAll(async () => {
  sandbox = await served({ inlineRows: 10, chunkRows: 1000 });
  warehouse = connect(sandbox.url);
  await sandbox.run("create table one as select 'K1' as id");
});

afterEach(() => sandbox.faults.clear());

afterAll(async () => {
  for (const one of opened.toReversed()) await one.close();
});

describe("values", () => {
  async function forward(request: IncomingMessage): Promise<{ status: number; text: string }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const kept = Object.entries(request.headers).filter(([name]) => !/^(host|content-length|connection)$/.test(name));
    const answer = await fetch(`${sandbox.url}${request.url}`, {
      method: request.method ?? "GET",
      headers: Object.fromEntries(kept) as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** A Snowflake that sends something else than was stored, as a broken or hostile one could. */
  async function tampering(find: string, put: string): Promise<{ url: string; server: Server }> {
    const server = createServer((request, response) => {
      void forward(request).then(({ status, text }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(text.replaceAll(find, put)),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
  }

  test("a VARIANT cell that is no JSON is text, and not run as code", async () => {
    await sandbox.run(`create table hostile as select 'K1' as id, '"MARK"'::json as payload`);
    const { url, server } = await tampering(String.raw`\"MARK\"`, "(process.exit(66),42)");
    try {
      const through = connect(url);
      expect(await firstRow(through, table("hostile"))).toContain("(process.exit(66),42)");
      // As it is, without being made text in Snowflake.
      const raw = openDatabase(connection(url));
      opened.push(raw);
      expect(await raw.session((session) => session.query("select payload, id from HOSTILE"))).toEqual([
        ["(process.exit(66),42)", "K1"],
      ]);
      // The process that read it lives on.
      expect(await firstRow(through, table("one"))).toEqual(["K1"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('NULL and the text "NULL" are two things, in every type', async () => {
    await sandbox.run(`create table nothing as select 'NULL' as id, null::varchar as a, 'NULL' as b, null::integer as c,
      null::date as d, null::boolean as e, null::double as f, null::timestamp as g, null::json as h`);
    expect(await firstRow(warehouse, table("nothing"))).toEqual(["NULL", null, "NULL", ...Array(6).fill(null)]);
    const raw = openDatabase(connection(sandbox.url));
    opened.push(raw);
    expect(await raw.session((session) => session.query("select * from NOTHING"))).toEqual([
      ["NULL", null, "NULL", ...Array(6).fill(null)],
    ]);
  });

  test("every digit of a number and of a time is kept", async () => {
    await sandbox.run(`create table digits as select 'K1' as id, 9007199254740993::bigint as a,
      12345678901234567890123456789012345678::decimal(38, 0) as b, 0.1234567890123456789::decimal(38, 19) as c,
      timestamp_ns '2026-11-23 09:30:00.123456789' as d, '{"n": 12345678901234567890}'::json as e`);
    const [, a, b, c, d, e] = await firstRow(warehouse, table("digits"));
    expect([a, b, c, d]).toEqual([
      "9007199254740993",
      "12345678901234567890123456789012345678",
      "0.1234567890123456789",
      "2026-11-23T09:30:00.123456789",
    ]);
    expect(e).toContain("12345678901234567890");
  });
});

async function readAll(source: Warehouse, name: string): Promise<readonly (readonly (string | null)[] | null)[]> {
  const columns = await source.columns(table(name));
  const run = { id: `run_${name}`, fence: 1 };
  const planner = source.planner(name);
  await planner.plan({ run, model: table(name), columns, now: new Date(), ...terms });
  const rows: (readonly (string | null)[] | null)[] = [];
  for await (const page of planner.read(run, { columns, pageRows: 1000 })) rows.push(...page.map(({ cells }) => cells));
  return rows;
}

describe("the rows of a plan", () => {
  test("come many in one value, in their order", async () => {
    await sandbox.run(
      "create table many as select 'K' || lpad(i::varchar, 5, '0') as id, i as n from range(3001) r(i)",
    );
    const rows = await readAll(warehouse, "many");
    expect(rows.map((cells) => Number(cells?.[1]))).toEqual(Array.from({ length: 3001 }, (_, index) => index));
    const asked = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as { sql: string; rows: number }[];
    expect(asked.findLast(({ sql }) => /plan_many.*order by/is.test(sql))?.rows).toBe(13);
  });

  test("come one by one where many are more than one value can be", async () => {
    const roomy = await served({ memoryLimit: "2GB" });
    await roomy.run("create table wide as select 'K' || (100 + i) as id, repeat('é', 50000) as a from range(300) r(i)");
    const rows = await readAll(connect(roomy.url), "wide");
    expect(rows.map((cells) => cells?.[0])).toEqual(Array.from({ length: 300 }, (_, index) => `K${100 + index}`));
    expect(rows.every((cells) => cells?.[1]?.length === 50_000)).toBe(true);
  });
});

describe("the driver's process", () => {
  test("is one for each source: what one of them does to its own, another does not meet", async () => {
    const processes = (): readonly string[] =>
      readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);
    await warehouse.check();
    const before = processes();
    const other = connect(sandbox.url);
    await other.check();
    const own = processes().filter((pid) => !before.includes(pid));
    expect(own).toHaveLength(1);
    process.kill(Number(own[0]), "SIGKILL");
    expect(await firstRow(warehouse, table("one"))).toEqual(["K1"]);
    await other.check().catch(() => undefined);
    expect(await firstRow(other, table("one"))).toEqual(["K1"]);
  });

  test("the driver, whose settings are global, is not loaded in the service's own process", () => {
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => /snowflake-sdk/.test(file));
    expect(loaded).toEqual([]);
  });

  test("timers go on while a large answer is read", async () => {
    await sandbox.run("create table large as select 'K' || i as id, repeat('x', 50) as a from range(200000) r(i)");
    const columns = await warehouse.columns(table("large"));
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 10);
    const started = performance.now();
    const rows = await warehouse.sample(table("large"), columns, 200_000);
    clearInterval(timer);
    expect(rows).toHaveLength(200_000);
    expect(ticks).toBeGreaterThan((performance.now() - started) / 10 / 10);
  });

  test("an answer that is larger than its memory ends the statement; the service and the source go on", async () => {
    const huge = await served({ inlineRows: 1, chunkRows: 1_000_000 });
    await huge.run("create table huge as select 'K' || i as id, repeat('x', 300) as a from range(400000) r(i)");
    await huge.run("create table one as select 'K1' as id");
    const narrow = connect(huge.url, { password: "right", driver_memory_mb: 64, unload_rows: 1_000_000 });
    const columns = await narrow.columns(table("huge"));
    const error = await failure(narrow.sample(table("huge"), columns, 400_000));
    expect(error).toMatchObject({ code: "out_of_memory", hint: expect.stringContaining("driver_memory_mb") });
    expect(await firstRow(narrow, table("one"))).toEqual(["K1"]);
  });
});

test("nothing is left in the temporary folder when a source is closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-left-"));
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  onTestFinished(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    rmSync(folder, { recursive: true });
  });
  const closing = connect(sandbox.url, { password: "right", unload_rows: 0 });
  await sandbox.run("create table unloaded as select 'K' || i as id from range(2000) r(i)");
  const columns = await closing.columns(table("unloaded"));
  const run = { id: "run_unloaded", fence: 1 };
  const planner = closing.planner("unloaded");
  await planner.plan({ run, model: table("unloaded"), columns, now: new Date(), ...terms });
  let count = 0;
  for await (const page of planner.read(run, { columns, pageRows: 500 })) count += page.length;
  expect(count).toBe(2000);
  await closing.close();
  expect(readdirSync(folder)).toEqual([]);
});

describe("logins", () => {
  const pair = (): { publicKey: string; privateKey: string } =>
    generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
  const [right, wrong] = [pair(), pair()];
  let guarded: ServedSnowflake;

  beforeAll(async () => {
    const user = { name: "sluice", password: "right", oauthToken: "oauth-right", programmaticToken: "pat-right" };
    guarded = await served({ users: [{ ...user, publicKey: right.publicKey }] });
  });

  test.each([
    ["a key pair", { private_key: right.privateKey }, { private_key: wrong.privateKey }],
    ["an OAuth token", { oauth_token: "oauth-right" }, { oauth_token: "oauth-secret-wrong" }],
    ["a programmatic token", { programmatic_token: "pat-right" }, { programmatic_token: "pat-secret-wrong" }],
    ["a password", { password: "right" }, { password: "secret-wrong" }],
  ])("%s works; a wrong one is told without repeating it", async (_way, good, bad) => {
    await expect(connect(guarded.url, good).check()).resolves.toBeUndefined();
    const error = await failure(connect(guarded.url, bad).check());
    expect(error.code).toBe("unauthorized");
    expect(`${error.message} ${error.hint} ${JSON.stringify(error.cause)}`).not.toMatch(/wrong|PRIVATE/);
  });

  test("an account name that would lead elsewhere is refused before anything is dialled", () => {
    for (const account of ["evil/#", "evil.example.com/", "a b", "a@b", "", "-x", "evil?x"])
      expect(() => connect(guarded.url, { password: "right", account }), account).toThrow(/account/);
  });
});

describe("connections", () => {
  test("a session that Snowflake has ended meanwhile is opened anew", async () => {
    expect(await firstRow(warehouse, table("one"))).toEqual(["K1"]);
    sandbox.faults.add({ on: "query", fault: { kind: "session_gone" } });
    expect(await firstRow(warehouse, table("one"))).toEqual(["K1"]);
  });

  test("a token that runs out in the middle of a plan is renewed", async () => {
    await sandbox.run("create or replace table people as select 'K' || i as id from range(100) r(i)");
    const columns = await warehouse.columns(table("people"));
    sandbox.faults.add({ on: "query", statement: "create", fault: { kind: "session_expired" } });
    const run = { id: "run_renewed", fence: 1 };
    const planned = await warehouse
      .planner("renewed")
      .plan({ run, model: table("people"), columns, now: new Date(), ...terms });
    expect(planned.added).toBe(100);
  });

  test("an aborted call stops its statement in Snowflake", async () => {
    sandbox.faults.add({ statement: "PEOPLE_SLOW", fault: { kind: "hang" } });
    await sandbox.run("create table people_slow as select 'K1' as id");
    const columns = await warehouse.columns(table("one"));
    const stop = new AbortController();
    const asked = warehouse.sample(table("PEOPLE_SLOW"), columns, 1, stop.signal);
    const records = async (): Promise<readonly { sql: string; status: string; code: string | null }[]> =>
      (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as never;
    const slow = async () => (await records()).find(({ sql }) => /PEOPLE_SLOW/.test(sql));
    await expect.poll(async () => (await slow())?.status).toBe("running");
    stop.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(async () => (await slow())?.code).toBe("000604");
  });
});

describe("transactions", () => {
  const patiently = { timeout: 30_000 };
  const run = (fence: number) => ({ id: `run_${fence}`, fence });
  const planOf = async (fence: number, sync = "owned", signal?: AbortSignal): Promise<unknown> => {
    const columns = await warehouse.columns(table("one"));
    const request = { run: run(fence), model: table("one"), columns, now: new Date(), ...terms };
    return await warehouse.planner(sync).plan(request, signal);
  };
  const asked = async (): Promise<readonly { sql: string; status: string; code: string | null }[]> =>
    (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as never;
  const freezing = async () => (await asked()).findLast(({ sql }) => /^insert into .*plan_owned/i.test(sql));

  test("a plan whose worker was taken over is ended with its statement, and its worker is told", async () => {
    sandbox.faults.add({ statement: "with source as", fault: { kind: "hang" } });
    const late = failure(planOf(1));
    await expect.poll(async () => (await freezing())?.status, patiently).toBe("running");
    const first = (await asked()).findLastIndex(({ sql }) => /^insert into .*plan_owned/i.test(sql));
    await expect(planOf(2)).resolves.toMatchObject({ added: 1 });
    expect((await asked())[first]?.code).toBe("000604");
    expect((await late).message).toMatch(/canceled|ended/);
    expect(await warehouse.planner("owned").openRuns()).toEqual([run(2)]);
  });

  test.each([
    ["a lower fence is ended, and what its worker writes afterwards is not committed either", 1, ["none"]],
    ["a higher fence is left alone", 3, ["after", "before", "none"]],
    ["other tables is left alone", null, ["after", "before", "none"]],
  ])("a transaction that another one meets under %s", async (_, fence, left) => {
    const database = openDatabase(connection(sandbox.url));
    opened.push(database);
    await sandbox.run("create or replace table halves as select 'none' as a");
    const owner = fence === null ? { name: "others", fence: 1 } : { name: "halves", fence };
    const work = database.transaction(
      async (session) => {
        await session.execute("insert into HALVES values ('before')");
        await database.transaction((other) => other.query("select 1"), { owner: { name: "halves", fence: 2 } });
        await session.execute("insert into HALVES values ('after')");
      },
      { owner },
    );
    if (fence === 1) expect((await failure(work)).code).toBe("transaction_ended");
    else await work;
    expect((await sandbox.query("select a from halves order by a")).flat()).toEqual(left);
  });

  test("a plan that is cancelled stops in Snowflake, and leaves no transaction", async () => {
    sandbox.faults.add({ statement: "with source as", fault: { kind: "hang" } });
    const stop = new AbortController();
    const planning = planOf(1, "owned_no_more", stop.signal);
    await expect.poll(async () => (await freezing())?.status, patiently).toBe("running");
    stop.abort();
    await expect(planning).rejects.toThrow();
    await expect.poll(async () => (await freezing())?.code, patiently).toBe("000604");
    await sandbox.run("insert into halves values ('the lock is free')");
  });
});

test("binds go with their statement: no stage is made, which would end the transaction that they are part of", async () => {
  const planner = warehouse.planner("bound");
  const columns = await warehouse.columns(table("one"));
  const run = { id: "run_bound", fence: 1 };
  await planner.plan({ run, model: table("one"), columns, now: new Date(), ...terms });
  await planner.record(run, [[{ seq: 1, kind: "accepted", recordHash: "h" }]]);
  expect(await planner.commit(run, { now: new Date(), backOff: { firstMs: 1, maxMs: 1 } })).toBe("committed");
  const asked = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as { sql: string }[];
  expect(asked.filter(({ sql }) => /stage|^put/i.test(sql))).toEqual([]);
});

test.each([
  ["a number that is none", "id::number", "K-secret", "100038"],
  ["a number that is too large", "cast('99999' || '55555' as number(4, 0))", "55555", "100038"],
  ["a text that is no JSON", "parse_json('{' || id)", "K-secret", "100069"],
])("%s: the error says so without the row's value", async (_, expression, value, code) => {
  await sandbox.run("create or replace table faulty as select 'K-secret' as id");
  const model = { from: { sql: `select id, ${expression} as a from FAULTY` }, key: ["id"] };
  const columns = await warehouse.columns(model);
  const error = await failure(warehouse.sample(model, columns, 1));
  expect(error.code).toBe("sql_error");
  expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain(value);
  expect(error.message).toMatch(/recognized|range|JSON/i);
  const asked = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as { code: string | null }[];
  expect(asked.some((one) => one.code === code)).toBe(true);
});

test("every statement of a run tells sync, run and step in its tag; tags and tables' names hold no row's value", async () => {
  await sandbox.run(
    "create or replace table people as select 'secret-' || i as id, 'private-' || i as a from range(30) r(i)",
  );
  const columns = await warehouse.columns(table("people"));
  const run = { id: "run_tagged", fence: 1 };
  const planner = warehouse.planner("tagged");
  await planner.plan({ run, model: table("people"), columns, now: new Date(), ...terms });
  for await (const _page of planner.read(run, { columns, pageRows: 10 }));
  const asked = (await (await fetch(`${sandbox.url}/_sandbox/requests`)).json()) as {
    sql: string;
    tag: string | null;
  }[];
  const ours = asked.filter(({ tag }) => tag?.includes("tagged"));
  expect(ours.length).toBeGreaterThan(1);
  for (const { sql, tag } of ours) {
    expect(JSON.parse(tag ?? "")).toMatchObject({ app: "sluice", sync: "tagged", run: "run_tagged" });
    expect(sql).not.toMatch(/secret-\d|private-\d/);
  }
  const names = await sandbox.query("select table_name from duckdb_tables()");
  expect(names.flat().join(" ")).not.toMatch(/secret-|private-|right/);
});
