import { expect, test } from "vitest";
import type { ModelQuery } from "../../src/warehouse.ts";
import snowflake from "../../src/warehouses/snowflake/index.ts";
import { complaints } from "./snowflake-sql.ts";

const given = { account: "acme-eu1", username: "sluice", password: "p", role: "sluice_role", warehouse: "sluice_wh" };
const connection = snowflake.connection.parse({ ...given, database: "analytics", schema: "marts" });
const bare = snowflake.connection.parse({ ...given, role: undefined });
const sql = (text: string): ModelQuery => ({ from: { sql: text }, key: ["id"] });
const table = (name: string): ModelQuery => ({ from: { table: name }, key: ["id"] });
const granted = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("grant"));

test("names every schema that a model reads, and no other; a name that is not quoted is folded", async () => {
  const models = [
    sql("with recent as (select * from raw.events.orders) select * from recent join accounts using (id)"),
    sql(`select id from "Finance"."Q1"."Re ports" where id in (select id from staging.people)`),
    table("analytics.marts.accounts"),
  ];
  const text = await snowflake.grants(connection, { models, schema: null });
  expect(granted(text).filter((line) => /on schema/.test(line))).toEqual(
    [
      `grant usage on schema "RAW"."EVENTS" to role "SLUICE_ROLE";`,
      `grant usage on schema "ANALYTICS"."MARTS" to role "SLUICE_ROLE";`,
      `grant usage on schema "ANALYTICS"."STAGING" to role "SLUICE_ROLE";`,
      `grant usage on schema "Finance"."Q1" to role "SLUICE_ROLE";`,
    ].toSorted((one, other) => text.indexOf(one) - text.indexOf(other)),
  );
  expect(granted(text).filter((line) => /on database/.test(line))).toHaveLength(3);
});

test("reading only grants nothing that writes; a planner schema is all that may be written", async () => {
  const models = [table("accounts")];
  expect(await snowflake.grants(connection, { models, schema: null })).not.toMatch(
    /\bcreate (table|schema)|insert|owner(ship)? on/i,
  );
  const writing = await snowflake.grants(connection, { models, schema: "sluice.planner" });
  expect(granted(writing)).toContain(`grant usage, create table on schema "SLUICE"."PLANNER" to role "SLUICE_ROLE";`);
  expect(await snowflake.grants(connection, { models, schema: "sluice" })).toContain(`on schema "ANALYTICS"."SLUICE"`);
});

test("every statement is Snowflake SQL", async () => {
  const text = await snowflake.grants(connection, { models: [table("accounts")], schema: "sluice.planner" });
  const statements = text.split("\n").filter((line) => line !== "" && !line.startsWith("--"));
  expect(statements.flatMap(complaints)).toEqual([]);
});

test("a table whose schema cannot be told is refused by name", async () => {
  await expect(snowflake.grants(bare, { models: [table("accounts")], schema: null })).rejects.toMatchObject({
    code: "grants_incomplete",
  });
});

test.each(["evil/#", "a b", "acme.", "acme..eu", "-", "acme:80", "acme@host"])("%j is no account", (account) => {
  expect(snowflake.connection.safeParse({ ...given, account }).success).toBe(false);
});

test("exactly one credential is given", () => {
  const { password, ...none } = given;
  expect(snowflake.connection.safeParse(none).success).toBe(false);
  expect(snowflake.connection.safeParse({ ...none, password, oauth_token: "t" }).success).toBe(false);
  expect(snowflake.connection.safeParse({ ...none, programmatic_token: "t" }).success).toBe(true);
});
