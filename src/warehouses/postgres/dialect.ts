/** How Postgres spells what the planner needs. */
import { WarehouseError } from "../../errors.ts";
import type { Column, ColumnType } from "../../warehouse.ts";
import type { Dialect } from "../dialect.ts";
import { quote } from "../names.ts";

export const postgresDialect: Dialect = {
  fold: (name) => name.toLowerCase(),
  columnIdentity: (name) => name,
  column: quote,
  sqlText: { backslashEscapes: false, slashComments: false },
  literal,
  text: 'text collate "C"',
  bytewise: (text) => `(${text}) collate "C"`,
  // Sixteen bytes of fixed length, which joins and aggregates take without a copy.
  fingerprintType: "uuid",
  materialized: " materialized",
  cell,
  stableCell(column, value) {
    // A double as numeric has 15 digits: sums done in parallel differ in the last ones. It also makes -0 a plain 0.
    if (column.type === "float") return `cast(cast(cast(${value} as double precision) as numeric) as text)`;
    return cell(column, value);
  },
  fingerprint(texts) {
    // An array's text quotes what needs it and tells null from 'NULL', and each text is computed once.
    return `cast(md5(cast(array[${texts.join(", ")}] as text)) as uuid)`;
  },
  fingerprintText: (fingerprint) => `cast(${fingerprint} as varchar)`,
  json: (text) => `cast(to_json(${text}) as text)`,
  // How a type becomes JSON is looked up once for the array, not for each text of it.
  jsonArray: (texts) => `cast(to_json(array[${texts.join(", ")}]) as text)`,
  freeze: (plan, query) => [
    `drop table if exists ${plan}`,
    `create table ${plan} as\n${query}`,
    `create unique index on ${plan} (seq)`,
    `analyze ${plan}`,
  ],
  createTable: (table, columns) => `create table if not exists ${table} (${columns})`,
  madeOnce: ["runs", "state", "failed", "outcomes", "kept", "past", "staged"],
  findSchema: (schema) => `select 1 from pg_catalog.pg_namespace where nspname = ${literal(schema.at(-1) ?? "")}`,
  findTables: (schema) => `select c.relname from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = ${literal(schema.at(-1) ?? "")}`,
  grants: (schema) => `create schema if not exists ${schema}; grant usage, create on schema ${schema} to <role>;`,
};

/** With standard_conforming_strings, which the session pins, a backslash is an ordinary character. */
function literal(text: string): string {
  if (text.includes("\0")) throw new WarehouseError("filter_invalid", "Postgres text cannot hold a NUL character.");
  return `'${text.replaceAll("'", "''")}'`;
}

function cell(column: Column, value: string): string {
  const text = `cast(${value} as text)`;
  switch (column.type) {
    case "text":
    case "integer":
    case "boolean":
    case "date":
      return text;
    case "decimal":
      return `cast(trim_scale(cast(${value} as numeric)) as text)`;
    case "float":
      return `cast(cast(${value} as double precision) as text)`;
    case "time":
      return `rpad(${text} || case when length(${text}) = 8 then '.' else '' end, 15, '0')`;
    case "timestamp":
      return timestamp(value, "");
    case "timestamptz":
      return timestamp(`(${value} at time zone 'UTC')`, "Z");
    case "binary":
      return `encode(${value}, 'hex')`;
    case "json":
      return /^jsonb?$/.test(column.native) ? text : `cast(to_json(${value}) as text)`;
  }
}

/** `to_char` drops the era and has no infinity; what is so far out keeps the server's own text. */
function timestamp(value: string, zone: string): string {
  const ordinary = `${value} >= '0001-01-01' and ${value} < '10000-01-01'`;
  const text = `to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.US${zone === "" ? "" : `"${zone}"`}')`;
  return `case when ${ordinary} then ${text} else cast(${value} as text) end`;
}

const exactTypes: Readonly<Record<string, ColumnType>> = {
  boolean: "boolean",
  smallint: "integer",
  integer: "integer",
  bigint: "integer",
  oid: "integer",
  numeric: "decimal",
  money: "decimal",
  real: "float",
  "double precision": "float",
  date: "date",
  "time without time zone": "time",
  "timestamp without time zone": "timestamp",
  "timestamp with time zone": "timestamptz",
  bytea: "binary",
  json: "json",
  jsonb: "json",
};

/**
 * The logical type of a Postgres type, by its name without modifiers and its category (pg_type.typcategory): arrays
 * and composites are JSON. What has none of its own (uuid, enums, inet, interval, …) is text.
 */
export function postgresType(name: string, category: string): ColumnType {
  return exactTypes[name] ?? (category === "A" || category === "C" || category === "P" ? "json" : "text");
}
