/** Attacks 62–68: values that lose something on their way, or end up where they do not belong. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { legibly } from "../../src/connection/legible.ts";
import { openRegistry } from "../../src/registry.ts";
import { one, things, wired } from "../destinations/http.service.ts";
import { type DestinationFixture, protocolOf } from "../destinations/place.ts";
import { canary, House } from "./house.ts";
import { contextOf } from "../destinations/context.ts";

let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(() => house?.[Symbol.asyncDispose]());

/** What the first rows of this SQL become. */
async function preview(sql: string, fields: object = { name: "name" }): Promise<readonly Previewed[]> {
  const put = await house.ask("PUT", "/v1/models/tried", { body: { source: "warehouse", key: "id", sql } });
  expect(put.status).toBeLessThan(300);
  const draft = { from: { model: "tried" }, fields };
  const { status, text, body } = await house.ask("POST", "/v1/syncs/companies/preview", { body: { draft, limit: 50 } });
  expect([sql, status, status === 200 ? "" : text]).toEqual([sql, 200, ""]);
  return body["records"] as readonly Previewed[];
}

interface Previewed {
  readonly record: Record<string, unknown> | null;
  readonly problem: { readonly code: string } | null;
}

const registry = await openRegistry();

test.each(registry.destinationTypes())(
  "63: the name of an object is never a way to another address: %s",
  async (type) => {
    const { default: fixture } = (await import(`../destinations/${type}.fixture.ts`)) as {
      default: DestinationFixture;
    };
    const adapter = await registry.loadDestination(type);
    const address = fixture.protocol === undefined ? "https://vendor.test/base" : protocolOf(fixture).address;
    const settings = adapter.connection.parse({ ...fixture.connection, base_url: address });
    const asked: string[] = [];
    const dialled: string[] = [];
    const connection = adapter.connect(settings, {
      ...contextOf(async (url) => {
        asked.push(new URL(String(url)).href);
        return Response.json({});
      }),
      dial: ({ host, port }) => {
        dialled.push(`${host}:${port}`);
        return Promise.reject(new Error("not dialled"));
      },
    });
    for (const object of ["../../x", "/etc/passwd", "..", "a\0b", "https://evil.example/", "a?b=c", "%2e%2e/x", "a#b"])
      await expect(connection.describe(object, {}), object).rejects.toThrow();
    expect(asked.filter((url) => !/^https:\/\/vendor\.test\/[^?#]*$/.test(url.replace(/\?[^?]*$/, "")))).toEqual([]);
    expect(asked.filter((url) => /\/x$|passwd|evil/.test(decodeURIComponent(new URL(url).pathname)))).toEqual(
      asked.filter((url) => /%2F/i.test(url)),
    );
    expect(dialled.filter((server) => server !== new URL(address).host)).toEqual([]);
    await connection.close?.();
  },
);

test("63: nor a document's, which is part of addresses, tables and files", async () => {
  const names = ["..%2f..%2fx", "%2Fetc%2Fpasswd", "a%00b", "A", "a.b", "a%20b", "-a", "a".repeat(64), "%C3%A9"];
  const body = { model: "accounts", filter: { column: "mrr", is: ">", value: 0 } };
  for (const name of names) {
    const { status } = await house.ask("PUT", `/v1/segments/${name}`, { body });
    expect([name, status]).toEqual([name, 422]);
  }
  const { body: page } = await house.ask("GET", "/v1/documents?kind=sync");
  const [sync] = page["data"] as readonly [{ readonly document: object }];
  const wild = { ...sync.document, to: { destination: "hubspot", object: "a\0b" } };
  expect((await house.ask("PUT", "/v1/syncs/wild", { body: wild })).status).toBe(422);
});

test("64: a number or a time comes out to the digit, or its row is told as one that does not fit", async () => {
  const exact = {
    "12345678901234567890123456789012345678::decimal(38, 0)": "12345678901234567890123456789012345678",
    "0.1234567890123456789012345678901234567::decimal(38, 37)": "0.1234567890123456789012345678901234567",
    "9007199254740993::bigint": "9007199254740993",
    "(-170141183460469231731687303715884105727)::hugeint": "-170141183460469231731687303715884105727",
    "'0000-00-00'": "0000-00-00",
    "date '9999-12-31'": "9999-12-31",
  };
  for (const [sql, expected] of Object.entries(exact)) {
    const [row] = await preview(`select 'A1' as id, ${sql} as name`);
    expect([sql, row?.record?.["name"], row?.problem]).toEqual([sql, expected, null]);
  }
  for (const sql of ["'NaN'::double", "'inf'::double", "'12,5'", "'0x10'", "'1e999999'"]) {
    const [row] = await preview(`select 'A1' as id, ${sql} as n, 'x' as name`, {
      name: "name",
      numberofemployees: "n",
    });
    expect([sql, row?.record === null || row?.problem !== null]).toEqual([sql, true]);
  }
  for (const sql of ["date '275761-01-01'", "'0000-00-00'", "'infinity'::timestamp", "'2026-02-30'", "'soon'"]) {
    const [row] = await preview(`select 'A1' as id, ${sql} as d, 'x' as name`, { name: "name", signed: "d" });
    expect([sql, row?.problem?.code ?? "sent"]).not.toEqual([sql, "sent"]);
  }
});

test("65: keys that only look alike are rows of their own, and every row has one outcome", async () => {
  await using own = await House.open({ rows: 0 });
  const twins = ["Zoë", "Zoe\u0308", "zoë", "ZOË", "Zoë ", " Zoë", "Zoë\u00a0", "Zo\u00eb\u200b", "Zoe"];
  await own.sql(`insert into accounts values ${twins.map((id) => `('${id}', 'n', 1)`).join(", ")}`);
  const run = await own.run();
  expect(run.planned).toMatchObject({ added: twins.length, faulty_keys: 0 });
  expect(run.accepted + run.rejected + run.invalid + run.in_doubt).toBe(twins.length);
  expect(run.accepted).toBe(twins.length);
  expect((await own.run()).planned).toMatchObject({ added: 0, changed: 0, removed: 0 });
});

describe("66: nothing is where it does not belong", () => {
  test("66: a value is in the warehouse and in its field at the destination, a credential nowhere", async () => {
    const [mapped, unmapped] = ["canary-mapped-77", "canary-unmapped-88"];
    await using own = await House.open({ rows: 3, sql: "alter table accounts add column note varchar" });
    await own.sql(`update accounts set name = '${mapped}', note = '${unmapped}'`);
    const answers: string[] = [];
    const run = await own.run();
    expect(run).toMatchObject({ status: "succeeded", accepted: 3 });
    for (const path of ["/v1/runs", `/v1/runs/${run.run}`, `/v1/runs/${run.run}/rejections`, "/v1/syncs", "/v1/audit"])
      answers.push((await own.ask("GET", path)).text);
    for (const kind of ["source", "model", "destination", "sync"])
      answers.push((await own.ask("GET", `/v1/documents?kind=${kind}`)).text);
    answers.push((await own.ask("POST", "/v1/destinations/hubspot/check")).text);
    const places = { answers: answers.join("\n"), log: own.log.join(""), store: filesBelow(own.service.dataDir) };
    for (const [place, text] of Object.entries(places))
      for (const secret of [mapped, unmapped, canary])
        expect([place, secret, text.includes(secret)]).toEqual([place, secret, false]);
    const sent = JSON.stringify(own.sandbox.sandbox.contents());
    expect([sent.includes(mapped), sent.includes(unmapped), sent.includes(canary)]).toEqual([true, false, false]);
  });
});

function filesBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"))
    .join("\n");
}

test("67: what a vendor says is masked, is data in every answer, and is one line of the log", async () => {
  const said = `<script>alert(1)</script>\u001b[2J\u001b[31m\r\n{"level":60,"msg":"forged"}\u2028 token ${canary}`;
  const lines = house.log.length;
  const texts: string[] = [];
  for (const status of [401, 400]) {
    await house.fault({ path: "/", times: null, fault: { kind: "status", status, body: { message: said } } });
    for (const [method, path] of [
      ["POST", "/v1/destinations/hubspot/check"],
      ["GET", "/v1/destinations/hubspot/objects/companies"],
    ] as const) {
      const { text, headers } = await house.ask(method, path);
      expect(headers.get("content-type")).toMatch(/json/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      texts.push(text);
    }
    await house.fault();
  }
  await house.fault({
    path: "/batch/",
    times: null,
    fault: { kind: "status", status: 400, body: { category: "VALIDATION_ERROR", message: said } },
  });
  const run = await house.run();
  await house.fault();
  expect(run.rejected).toBeGreaterThan(0);
  texts.push((await house.ask("GET", `/v1/runs/${run.run}/rejections`)).text);
  for (const text of texts) expect(text).not.toContain(canary);
  expect(texts.some((text) => text.includes("[redacted]"))).toBe(true);
  expect(texts.filter((text) => text.includes("\u001b") || text.includes("\\u001b"))).toEqual([]);
  const logged = house.log.slice(lines).join("");
  expect(logged).not.toContain(canary);
  for (const line of logged.split("\n").filter((one) => one !== "")) {
    expect(JSON.parse(line)).toHaveProperty("level");
    expect(JSON.parse(line)).not.toHaveProperty("msg", "forged");
  }
});

test("67: also what it says of a record while all is well", async () => {
  const answers = [
    { status: 200, when: { at: "/ok", is: true }, means: "accepted" },
    { status: 200, means: "rejected", code: "/code", message: "/message" },
  ];
  const said = { code: `E\u001b[2J ${canary}`, message: `no\r\n${canary} \u202e\u0007` };
  const { connection } = wired(things({ answers }), Response.json(said));
  const [outcome] = await legibly(connection, [canary]).write(one);
  expect(outcome).toMatchObject({ kind: "rejected", code: "E [2J [redacted]", message: "no [redacted]" });
});

test("68: a source that is empty, half, cut off or forbidden removes nothing by itself", async () => {
  await using own = await House.open({ rows: 100 });
  const count = (): number => Object.values(own.sandbox.sandbox.contents()["companies"] ?? {}).length;
  expect(await own.run()).toMatchObject({ status: "succeeded", accepted: 100 });
  const before = count();
  await own.sql("create table kept as from accounts; delete from accounts");
  const empty = await own.run();
  expect(empty).toMatchObject({ status: "held" });
  await own.operations.cancel(empty.run);
  await own.sql("insert into accounts select * from kept limit 60");
  const half = await own.run();
  expect(half).toMatchObject({ status: "held", planned: { removed: 40 } });
  await own.operations.cancel(half.run);
  await own.sql("alter table accounts rename to hidden");
  expect(await own.run()).toMatchObject({ status: "failed", failure: { code: "table_not_found" } });
  await own.sql("alter table hidden rename column id to key; alter table hidden rename to accounts");
  expect(await own.run()).toMatchObject({ status: "failed", failure: { code: "key_column_missing" } });
  await own.sql(
    "drop table accounts; create view accounts as select id, name, mrr from kept where error('cut off')::varchar is null",
  );
  expect(await own.run()).toMatchObject({ status: "failed" });
  await own.sql("drop view accounts; create table accounts as from kept limit 80");
  expect(count()).toBe(before);
  expect(await own.run()).toMatchObject({ status: "succeeded", planned: { removed: 20 } });
});
