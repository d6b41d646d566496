/** The SQL that gives a role exactly what it needs. */
import { WarehouseError } from "../../errors.ts";
import type { ModelQuery } from "../../warehouse.ts";
import { snowflakeDialect } from "./dialect.ts";
import { parseName, quote } from "../names.ts";
import { tablesOf } from "./tables.ts";

export interface Grantee {
  readonly username: string;
  readonly role: string | undefined;
  readonly warehouse: string | undefined;
  /** Where names without a database, without a schema, are looked for. */
  readonly database: string | undefined;
  readonly schema: string | undefined;
}

/** `planner` is the schema for plan and state; null where they are kept elsewhere and nothing is written. */
export async function grantStatements(
  to: Grantee,
  models: readonly ModelQuery[],
  planner: string | null,
): Promise<string> {
  const role = identifier(to.role ?? "SLUICE_ROLE");
  const tables = (await Promise.all(models.map(tablesOf))).flat();
  const schemas = distinct(tables.map((table) => schemaOf(table, to)));
  return [
    "-- Run this as SECURITYADMIN, or as the owners of the objects that it names.",
    `create role if not exists ${role};`,
    `grant role ${role} to user ${identifier(to.username)};`,
    ...(to.warehouse === undefined
      ? ["-- The source names no warehouse: grant usage on the one that the user has by default."]
      : [`grant usage on warehouse ${identifier(to.warehouse)} to role ${role};`]),
    "",
    "-- To read the models. ALL and FUTURE, because dbt makes tables anew and grants on the old ones go with them.",
    ...distinct(schemas.map(([database]) => [database] as const)).map(
      ([database]) => `grant usage on database ${quote(database)} to role ${role};`,
    ),
    ...schemas.flatMap((schema) => readable(schema.map(quote).join("."), role)),
    ...(planner === null ? [] : ["", ...writable(planner, role, to)]),
  ].join("\n");
}

function readable(schema: string, role: string): readonly string[] {
  const kinds = ["all tables", "future tables", "all views", "future views"];
  return [
    `grant usage on schema ${schema} to role ${role};`,
    ...kinds.map((kind) => `grant select on ${kind} in schema ${schema} to role ${role};`),
  ];
}

function writable(planner: string, role: string, to: Grantee): readonly string[] {
  const schema = schemaOf([...parseName(planner, fold), ""], to);
  const [database] = schema;
  const name = schema.map(quote).join(".");
  return [
    "-- To keep plan and state: one schema, in which the role owns what it makes and nothing else.",
    `create database if not exists ${quote(database)};`,
    `create schema if not exists ${name} with managed access data_retention_time_in_days = 1;`,
    `grant usage on database ${quote(database)} to role ${role};`,
    `grant usage, create table on schema ${name} to role ${role};`,
  ];
}

const fold = (name: string): string => snowflakeDialect.fold(name);

/** A name as the connection gives it: folded unless it was quoted. */
function identifier(name: string): string {
  return parseName(name, fold).map(quote).join(".");
}

/** Database and schema of a table's name, with what the connection looks in where the name does not say. */
function schemaOf(table: readonly string[], to: Grantee): readonly [database: string, schema: string] {
  const [, schema = to.schema && fold(to.schema), database = to.database && fold(to.database)] = table.toReversed();
  if (database !== undefined && schema !== undefined) return [database, schema];
  throw new WarehouseError("grants_incomplete", `It cannot be told in which schema ${table.join(".")} is.`, {
    hint: "Name database and schema in the source's connection, or write the whole name in the model: DATABASE.SCHEMA.TABLE.",
  });
}

function distinct<Parts extends readonly string[]>(all: readonly Parts[]): readonly Parts[] {
  return [...new Map(all.map((parts) => [JSON.stringify(parts), parts])).values()];
}
