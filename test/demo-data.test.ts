import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { expect, onTestFinished, test } from "vitest";
import { loadWorkspace } from "../src/documents/load.ts";
import { openRegistry } from "../src/registry.ts";

const demo = join(import.meta.dirname, "../mappings/demo");

async function build(): Promise<DuckDBConnection> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  for (const file of readdirSync(join(demo, "warehouse")).toSorted()) {
    await connection.run(readFileSync(join(demo, "warehouse", file), "utf8"));
  }
  return connection;
}

async function row(connection: DuckDBConnection, sql: string): Promise<readonly unknown[]> {
  const rows = (await connection.runAndReadAll(sql)).getRows();
  return rows[0]?.map(String) ?? [];
}

const contents =
  "select (select bit_xor(hash(t)) from marts.account_metrics t), (select bit_xor(hash(t)) from marts.people t)";

test("the demo's business is the same on every build", async () => {
  expect(await row(await build(), contents)).toEqual(await row(await build(), contents));
});

test("it has the rows that its README promises, the bad ones included", async () => {
  const connection = await build();
  expect(
    await row(
      connection,
      "select count(*), count(distinct account_id), count(*) - count(account_id) from marts.account_metrics",
    ),
  ).toEqual(["10002", "10000", "1"]);
  expect(
    await row(
      connection,
      "select string_agg(account_id, ' ') from (select account_id from marts.account_metrics where account_id is not null group by 1 having count(*) > 1)",
    ),
  ).toEqual(["A00042"]);
  expect(await row(connection, "select count(*) from marts.account_metrics where plan = 'legacy-2019'")).toEqual(["3"]);
  expect(
    await row(connection, "select count(*), count(distinct contact_id), count(distinct email) from marts.people"),
  ).toEqual(["25000", "25000", "24998"]);
});

test("changes.sql changes what its comments say", async () => {
  const connection = await build();
  await connection.run("create table accounts as from marts.account_metrics; create table people as from marts.people");
  await connection.run(readFileSync(join(demo, "changes.sql"), "utf8"));
  const changes = `select
    count(*) filter (b.mrr_usd > 0 and a.mrr_usd > b.mrr_usd), count(*) filter (b.mrr_usd > 0 and a.mrr_usd = 0),
    count(*) filter (b.mrr_usd = 0 and a.mrr_usd > 0)
    from marts.account_metrics a join accounts b using (account_id) where account_id <> 'A00042'`;
  expect(await row(connection, changes)).toEqual(["120", "35", "40"]);
  expect(
    await row(connection, "select count(*) from marts.people where contact_id not in (select contact_id from people)"),
  ).toEqual(["30"]);
  expect(
    await row(
      connection,
      "select count(*) from marts.people a join people b using (contact_id) where a.email <> b.email",
    ),
  ).toEqual(["25"]);
  expect(
    await row(
      connection,
      "select count(*) from marts.people a join people b using (contact_id) where a.job_title is distinct from b.job_title",
    ),
  ).toEqual(["60"]);
});

test.each(readdirSync(join(demo, "sources")))("its documents are right with %s", async (source) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-demo-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(join(demo, "workspace"), folder, { recursive: true });
  cpSync(join(demo, "sources", source), join(folder, "warehouse.yaml"));
  const { documents, warnings } = await loadWorkspace(folder, await openRegistry());
  expect([...documents.syncs.keys()]).toEqual(["hubspot-companies", "hubspot-contacts", "hubspot-churn-risk"]);
  expect([...documents.sources.keys()]).toEqual(["warehouse"]);
  expect(warnings).toEqual([]);
});
