/** Files on a real disk and in a bucket that verifies: what stands in them, where they go, and who can read them. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import files from "../../destinations/files/index.ts";
import createSandbox from "../../destinations/files/sandbox.ts";
import type { Batch, Change, Connection, DestinationRecord, Operation } from "../../src/destination.ts";
import { createFetch } from "../../src/fetch.ts";
import { bucketKeys, serveBucket } from "../warehouses/bucket.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import fixture from "./files.fixture.ts";
import { openPlace, type Place } from "./place.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-files-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const fields = {
  id: "text",
  words: "text",
  mrr: "number",
  seats: "integer",
  active: "boolean",
  since: "date",
  at: "datetime",
  more: "json",
} as const;

function open(given: object, allowed: readonly string[] = ["127.0.0.0/8"]): Connection {
  const config = files.connection.parse({ format: "csv", objects: { accounts: { fields } }, ...given });
  const outbound = createFetch({
    name: "exports",
    adapter: files,
    secrets: [],
    allowed,
    clock: { now: () => new Date() },
  });
  return files.connect(config as Parameters<typeof files.connect>[0], {
    ...contextOf(outbound.fetch),
    folder: join(folder, "root"),
  });
}

function change(seq: number, id: string, record: DestinationRecord = {}): Change {
  return { seq, match: { id }, record, destinationId: undefined, renamed: false };
}

function batch(operation: Operation, changes: readonly Change[], id = "run_1-1-2"): Batch {
  return { object: "accounts", settings: {}, operation, match: ["id"], fields: Object.keys(fields), changes, id };
}

const whole: DestinationRecord = {
  words: 'say "hi",\nü',
  mrr: "-12.50",
  seats: "9007199254740993",
  active: true,
  since: "2026-11-30",
  at: "2026-11-30T08:00:00.123456Z",
  more: { a: [1, null] },
};

/** What a query over files says, as text. */
async function ask(sql: string): Promise<readonly unknown[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  await connection.run("set timezone = 'UTC'");
  const rows = (await connection.runAndReadAll(sql)).getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

const written = (name = "run_1-1-2.csv"): Promise<string> =>
  readFile(join(folder, "root/exports/accounts", name), "utf8");

describe("CSV", () => {
  test("is RFC 4180 with a header, and tells no value from an empty text", async () => {
    const connection = open({ folder: "exports" });
    const changes = [change(1, "a", whole), change(2, "b", { words: "", mrr: null })];
    expect(kinds(await connection.write(batch("upsert", changes)))).toEqual([
      [1, "accepted"],
      [2, "accepted"],
    ]);
    expect(await written()).toBe(
      [
        "_operation,_batch,id,words,mrr,seats,active,since,at,more",
        'upsert,run_1-1-2,a,"say ""hi"",\nü",-12.50,9007199254740993,true,2026-11-30,2026-11-30T08:00:00.123456Z,"{""a"":[1,null]}"',
        'upsert,run_1-1-2,b,"",,,,,,',
        "",
      ].join("\r\n"),
    );
  });

  test.each(["=1+1", "+49 89 1", "-x", "@SUM(A1)", "\tx", "\rx", "＝1"])(
    "keeps %j from being a formula, unless that is not wanted; a number stays one",
    async (words) => {
      const changes = [change(1, "a", { words, mrr: "-5" })];
      await open({ folder: "exports" }).write(batch("append", changes, "guarded"));
      await open({ folder: "exports", guard_formulas: false }).write(batch("append", changes, "bare"));
      const cells = async (name: string): Promise<unknown> =>
        ask(
          `select words, mrr::varchar from read_csv('${folder}/root/exports/accounts/${name}.csv', all_varchar = true)`,
        );
      expect(await cells("guarded")).toEqual([[`'${words}`, "-5"]]);
      expect(await cells("bare")).toEqual([[words, "-5"]]);
    },
  );
});

test("Parquet has the declared types, and null where there is no value", async () => {
  const connection = open({ folder: "exports", format: "parquet" });
  const changes = [change(1, "a", { ...whole, mrr: -12.5 }), change(2, "=b", { words: null })];
  expect(kinds(await connection.write(batch("upsert", changes)))).toHaveLength(2);
  const file = `'${folder}/root/exports/accounts/run_1-1-2.parquet'`;
  const types = await ask(`select column_type from (describe select * from ${file})`);
  const expected = ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "DATE"];
  expect(types.flat()).toEqual([...expected, "TIMESTAMP WITH TIME ZONE", "JSON"]);
  const [first, second] = await ask(`select columns(*)::varchar from ${file}`);
  const at = "2026-11-30 08:00:00.123456+00";
  expect(first).toEqual([
    "upsert",
    "run_1-1-2",
    "a",
    whole["words"],
    "-12.5",
    whole["seats"],
    "true",
    "2026-11-30",
    at,
    '{"a":[1,null]}',
  ]);
  expect(second).toEqual(["upsert", "run_1-1-2", "=b", ...Array.from({ length: 7 }, () => null)]);
});

test("a day that there is not is refused, in the form that knows days", async () => {
  const connection = open({ folder: "exports", format: "parquet" });
  const error = await failureOf(connection.write(batch("upsert", [change(1, "a", { since: "2026-02-31" })])));
  expect(error).toMatchObject({ kind: "refused", code: "parquet_failed", applied: "no" });
});

test.each<[code: string, record: DestinationRecord]>([
  ["not_storable", { words: "a\0" }],
  ["not_storable", { words: "\udc00" }],
  ["not_a_number", { mrr: "seven" }],
  ["not_an_integer", { seats: 1.5 }],
  ["out_of_range", { seats: "9223372036854775808" }],
  ["not_a_boolean", { active: "yes" }],
  ["not_a_date", { since: "30.11.2026" }],
  ["not_a_time", { at: "2026-11-30" }],
  ["not_text", { words: ["a"] }],
  ["unknown_field", { plan: "pro" }],
])("a value that a column cannot hold keeps its row out of the file, and no other: %s", async (code, record) => {
  const outcomes = await open({ folder: "exports" }).write(batch("upsert", [change(1, "a", record), change(2, "b")]));
  expect(outcomes.find(({ seq }) => seq === 1)).toMatchObject({
    kind: "rejected",
    code,
    field: Object.keys(record)[0],
  });
  expect(kinds(outcomes)[1]).toEqual([2, "accepted"]);
  expect((await written()).split("\r\n")).toHaveLength(3);
});

test("the files of many runs are what the last row of each key says", async () => {
  const connection = open({ folder: "exports" });
  const runs: [Operation, string, Change[]][] = [
    ["upsert", "run_a-1-3", ["x", "y", "z"].map((id, at) => change(at, id, { words: "first" }))],
    ["delete", "run_b-1-1", [change(1, "y")]],
    ["upsert", "run_b-2-1", [change(2, "x", { words: "second" })]],
  ];
  for (const [operation, id, changes] of runs) await connection.write(batch(operation, changes, id));
  // The query of the README.
  const state = `select id, words from read_csv('${folder}/root/exports/accounts/*.csv')
    qualify row_number() over (partition by id order by _batch desc) = 1 and _operation <> 'delete' order by id`;
  expect(await ask(state)).toEqual([
    ["x", "second"],
    ["z", "first"],
  ]);
});

describe("a folder", () => {
  test("has a batch once, however often it is sent, and no draft", async () => {
    const connection = open({ folder: "exports/crm" });
    for (let times = 0; times < 3; times += 1) await connection.write(batch("append", [change(1, "a", whole)]));
    expect(await readdir(join(folder, "root/exports/crm/accounts"))).toEqual(["run_1-1-2.csv"]);
  });

  test("is checked without being made", async () => {
    expect((await open({ folder: "exports" }).check()).account).toBe(`folder ${join(folder, "root/exports")}`);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each(["/etc", "../x", "a/../../x", "a//b", ".hidden", "a/.hidden", "", "a\\b", "a\0", "./a", "a/"])(
    "is never another one: %j",
    (path) => {
      const given = { folder: path, format: "csv", objects: { accounts: { fields } } };
      expect(files.connection.safeParse(given).success).toBe(false);
    },
  );

  test.each([["../x"], ["a/b"], [".."], ["/x"], [""]])("nor by the name of an object: %j", (name) => {
    const given = { folder: "exports", format: "csv", objects: { [name]: { fields } } };
    expect(files.connection.safeParse(given).success).toBe(false);
  });

  test("nor by the id of a batch", async () => {
    await open({ folder: "exports" }).write(batch("append", [change(1, "a")], "../../../x"));
    expect(await readdir(join(folder, "root/exports/accounts"))).toEqual(["..%2F..%2F..%2Fx.csv"]);
  });

  test.each(["exports", "exports/accounts"])("nor by a link at %s, through which nothing is written", async (link) => {
    const [first] = link.split("/");
    await mkdir(join(folder, "elsewhere"));
    await mkdir(join(folder, "root", link === first ? "" : (first ?? "")), { recursive: true });
    await symlink(join(folder, "elsewhere"), join(folder, "root", link));
    const error = await failureOf(open({ folder: "exports" }).write(batch("append", [change(1, "a")])));
    expect(error).toMatchObject({ kind: "unauthorized", code: "folder_refused", applied: "no" });
    expect(await readdir(join(folder, "elsewhere"))).toEqual([]);
  });

  test("that cannot be made is told, and nothing of it is accepted", async () => {
    await mkdir(join(folder, "root"));
    await writeFile(join(folder, "root/exports"), "a file");
    const error = await failureOf(open({ folder: "exports" }).write(batch("append", [change(1, "a")])));
    expect(error).toMatchObject({ kind: "unauthorized", code: "folder_not_writable", applied: "no" });
  });
});

describe("a bucket", () => {
  const key = { access_key_id: bucketKeys.accessKeyId, secret_access_key: bucketKeys.secretAccessKey };

  test("of storage that verifies what it is sent has the files beneath the prefix", async () => {
    await using storage = await serveBucket("acme");
    for (const format of ["csv", "parquet"] as const) {
      const connection = open({ bucket: "acme", prefix: "team/out", ...key, base_url: storage.url, format });
      expect((await connection.check()).account).toBe("bucket acme, team/out");
      for (let times = 0; times < 2; times += 1)
        expect(kinds(await connection.write(batch("upsert", [change(1, "ü", { words: "x" })])))).toEqual([
          [1, "accepted"],
        ]);
    }
    expect([...storage.objects.keys()]).toEqual(
      ["csv", "parquet"].map((form) => `team/out/accounts/run_1-1-2.${form}`),
    );
    const bytes = storage.objects.get("team/out/accounts/run_1-1-2.parquet")?.body ?? Buffer.alloc(0);
    await writeFile(join(folder, "back.parquet"), bytes);
    expect(await ask(`select id, words from '${folder}/back.parquet'`)).toEqual([["ü", "x"]]);
  });

  test("at a private address is not asked unless it is allowed", async () => {
    await using storage = await serveBucket("acme");
    const connection = open({ bucket: "acme", ...key, base_url: storage.url }, []);
    for (const asked of [connection.check(), connection.write(batch("upsert", [change(1, "a")]))])
      expect(await failureOf(asked)).toMatchObject({ kind: "unauthorized", code: "address_refused", applied: "no" });
    expect(storage.objects.size).toBe(0);
  });

  async function sandbox(): Promise<Place> {
    const [object] = fixture.objects;
    if (!object) throw new Error("the fixture has no object");
    return openPlace({ adapter: files, createSandbox, fixture, object });
  }

  test.each([
    ["slow_down", { kind: "busy", code: "SlowDown", applied: "no" }],
    ["access_denied", { kind: "unauthorized", code: "AccessDenied", applied: "no" }],
    ["wrong_region", { kind: "unauthorized", code: "PermanentRedirect", applied: "no" }],
    ["no_such_bucket", { kind: "unauthorized", code: "NoSuchBucket", applied: "no" }],
  ])("that says %s is understood", async (name, expected) => {
    await using place = await sandbox();
    await place.strike({ kind: "failure", name });
    const written = place.connection.write({
      ...batch("upsert", []),
      changes: [{ ...change(1, "a"), match: { account_id: "a" } }],
    });
    expect(await failureOf(written)).toMatchObject(expected);
  });
});

test("a place is its folder, or its bucket and where in it", () => {
  const place = (given: object): string | undefined =>
    files.place?.(
      files.connection.parse({ format: "csv", objects: {}, ...given }) as Parameters<typeof files.connect>[0],
    );
  const key = { access_key_id: "a", secret_access_key: "hush" };
  const places = [
    place({ folder: "a" }),
    place({ folder: "b" }),
    place({ bucket: "exports", ...key }),
    place({ bucket: "exports", prefix: "p", ...key }),
    place({ bucket: "exports", region: "eu-central-1", ...key }),
    place({ bucket: "exports", base_url: "https://minio.example", ...key }),
  ];
  expect(new Set(places).size).toBe(places.length);
  expect(places.join()).not.toContain("hush");
});

test.each([
  {},
  { folder: "a", bucket: "other" },
  { bucket: "other" },
  { folder: "a", objects: { x: { fields: { _batch: "text" } } } },
  { folder: "a", objects: { x: { fields: { Name: "text", name: "text" } } } },
  { folder: "a", objects: { x: { fields: {} } } },
])("settings that say too little, too much or two things are refused: %j", (given) => {
  expect(files.connection.safeParse({ format: "csv", objects: {}, ...given }).success).toBe(false);
});
