/** The main job into a table of Postgres and into files, from the command to what stands there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import createSandbox from "../../destinations/postgres/sandbox.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { Business } from "./business.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

const table = `create table accounts (
  id serial primary key, account_id varchar(40) unique, name text not null, mrr numeric(12, 2) check (mrr <> 7.5), plan text)`;

/** The sync of the business, with another destination. */
function pointTo(business: Business, destination: string, sync: string): void {
  const text = business.read("workspace.yaml");
  const from = text.indexOf("kind: destination");
  business.write(
    "workspace.yaml",
    `${text.slice(0, from)}${destination}
---
kind: sync
name: companies
from: { model: accounts, segment: paying }
${sync}
gate: { removed: 60%, rejected: 50%, keys: withhold }
`,
  );
}

const intoTable = `to: { destination: crm, object: public.accounts }
mode: mirror
removed: delete
match: { account_id: id }
fields: { name: name, mrr: mrr, plan: plan }`;

const database = `kind: destination
name: crm
type: postgres
connection: { url: "\${env:CRM}" }`;

test("a table mirrors the segment, and a row that breaks a constraint is told until it is mended", async () => {
  const url = await server.database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(table);
    await using business = await Business.open(20);
    Object.assign(business.environment, { CRM: `${url}?sslmode=disable` });
    pointTo(business, database, intoTable);
    const first = await business.run();
    expect(first).toMatchObject({ status: "partial", planned: { added: 16 }, accepted: 15, rejected: 1, in_doubt: 0 });
    expect(await business.rejectedKeys(first.run)).toEqual(["A7"]);
    const told = (await business.sluice(["rejections", first.run])).stdout;
    expect(told).toContain("23514");
    const shown = (await business.sluice(["requests", first.run])).stdout;
    expect(shown).toMatch(/upsert public\.accounts {2}done/);
    await business.sql(
      "update accounts set mrr = case id when 'A1' then 0 when 'A7' then 8 else mrr + 1 end where id in ('A1', 'A2', 'A7')",
    );
    expect(await business.run()).toMatchObject({ status: "succeeded", planned: { added: 1, changed: 1, removed: 1 } });
    const { rows } = await client.query(
      "select account_id, mrr::float8 as mrr from accounts where account_id in ('A1', 'A2', 'A7') order by 1",
    );
    expect(rows).toEqual([
      { account_id: "A2", mrr: 3.5 },
      { account_id: "A7", mrr: 8 },
    ]);
    const { rows: count } = await client.query("select count(*)::int as n from accounts");
    expect(count).toEqual([{ n: (await business.expected()).length }]);
  } finally {
    await client.end();
  }
});

test("an answer to COMMIT that is lost costs nothing but another request", async () => {
  const sandbox = await serveSandbox(createSandbox({ seed: { sql: table } }));
  try {
    await using business = await Business.open(10);
    const url = sandbox.url.replace("postgres://", "postgres://sluice:sluice@");
    Object.assign(business.environment, { CRM: url });
    pointTo(business, database, intoTable);
    const fault = { method: "commit", after: 1, times: 1, fault: { kind: "drop_after" } };
    await fetch(`${sandbox.control}/_sandbox/faults`, { method: "POST", body: JSON.stringify(fault) });
    expect(await business.run()).toMatchObject({ accepted: 7, rejected: 1, in_doubt: 0 });
    expect(Object.keys(sandbox.sandbox.contents()["public.accounts"] ?? {})).toHaveLength(7);
  } finally {
    await sandbox.close();
  }
});

test("files hold every change and removal, below the service's own folder and nowhere else", async () => {
  await using business = await Business.open(10);
  const exports = `kind: destination
name: exports
type: files
connection:
  folder: crm
  format: csv
  objects: { accounts: { fields: { account_id: text, name: text, mrr: number } } }`;
  const sync = `to: { destination: exports, object: accounts }
mode: mirror
removed: delete
match: { account_id: id }
fields: { name: name, mrr: mrr }`;
  pointTo(business, exports, sync);
  expect(await business.run()).toMatchObject({ status: "succeeded", accepted: 8, requests: 1 });
  await business.sql("update accounts set mrr = 0 where id = 'A1'");
  expect(await business.run()).toMatchObject({ status: "succeeded", planned: { removed: 1 }, accepted: 1 });
  const folder = join(business.folder, ".sluice/files/crm/accounts");
  const lines = readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8").trimEnd().split("\r\n").slice(1));
  expect(lines.map((rows) => rows.map((row) => row.replace(/,run_[^,]+,/, " ")))).toEqual([
    expect.arrayContaining(["upsert A1,Account 1,1.5"]),
    ["delete A1,,"],
  ]);
  pointTo(business, exports.replace("folder: crm", "folder: ../../crm"), sync);
  expect((await business.sluice(["validate"])).stderr).toContain("folder");
});
