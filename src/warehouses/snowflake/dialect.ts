/** How Snowflake spells what the planner needs. */
import type { Column, ColumnType } from "../../warehouse.ts";
import type { Dialect } from "../dialect.ts";
import { quote } from "../names.ts";
import type { NativeColumn } from "./protocol.ts";

export const snowflakeDialect: Dialect = {
  fold: (name) => name.toUpperCase(),
  columnIdentity: (name) => name,
  column: quoteColumn,
  sqlText: { backslashEscapes: true, slashComments: true },
  literal,
  text: "varchar",
  bytewise: (text) => text,
  fingerprintType: "binary(16)",
  materialized: "",
  cell,
  stableCell(column, value) {
    switch (column.type) {
      case "float":
        // 15 digits: sums done in parallel differ in the last ones. Adding 0 makes -0 a plain 0.
        return float(value, (number) => `to_char(${number} + 0, 'S9.99999999999999EEEE')`);
      case "time":
      case "timestamp":
      case "timestamptz":
        // A column that is widened to nanoseconds keeps its fingerprints.
        return cell({ ...column, native: `${column.native.replace(/\(\d\)$/, "")}(9)` }, value);
      default:
        return cell(column, value);
    }
  },
  fingerprint(texts) {
    const parts = texts.map((text) => `coalesce(length(${text}) || ':' || ${text}, '~')`);
    return `md5_binary(${parts.join(" || ")})`;
  },
  fingerprintText: (fingerprint) => `cast(${fingerprint} as varchar)`,
  json: (text) => `to_json(to_variant(${text}))`,
  // Statements that define tables end a transaction in Snowflake, so a plan's table stays and its rows are replaced.
  freeze: (plan, query) => [`delete from ${plan}`, `insert into ${plan}\n${query}`],
  createTable: (table, columns, { rewritten }) =>
    // What is rewritten all the time, or can be made again, needs no days of history.
    `create transient table if not exists ${table} (${columns}) data_retention_time_in_days = ${rewritten ? 0 : 1}`,
  madeOnce: ["runs", "state", "failed", "outcomes", "kept", "past", "staged", "plan", "preview"],
  findSchema: (schema) =>
    `select 1 from ${catalog(schema)}.schemata where schema_name = ${literal(schema.at(-1) ?? "")}`,
  findTables: (schema) =>
    `select table_name from ${catalog(schema)}.tables where table_schema = ${literal(schema.at(-1) ?? "")}`,
  grants: (schema) => `grant usage, create table on schema ${schema} to role <role>;`,
};

/** The information schema of the database that a schema is in. */
function catalog(schema: readonly string[]): string {
  const database = schema.at(-2);
  return database === undefined ? "information_schema" : `${quote(database)}.information_schema`;
}

/** In Snowflake a backslash begins an escape sequence. */
function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\0", "\\0")}'`;
}

/**
 * Snowflake stores `account_id` as ACCOUNT_ID. People write it small, as dbt does, so that is a column's name here; a
 * name that was quoted when it was made keeps its case, and its quotes where it would be taken for a folded one.
 */
export function columnName(native: string): string {
  if (/^[A-Z_][A-Z0-9_$]*$/.test(native)) return native.toLowerCase();
  return /^[a-z_][a-z0-9_$]*$|^"/.test(native) ? quote(native) : native;
}

function quoteColumn(name: string): string {
  if (/^[a-z_][a-z0-9_$]*$/.test(name)) return quote(name.toUpperCase());
  return /^"(?:[^"]|"")+"$/.test(name) ? name : quote(name);
}

function cell(column: Column, value: string): string {
  switch (column.type) {
    case "text":
    case "integer":
    case "boolean":
      return `to_varchar(${value})`;
    case "decimal":
      return `rtrim(rtrim(to_varchar(${value}), '0'), '.')`;
    case "float":
      // With 17 digits every double reads back as itself.
      return float(value, (number) => `to_char(${number}, 'S9.9999999999999999EEEE')`);
    case "date":
      return `to_char(${value}, 'YYYY-MM-DD')`;
    case "time":
      return `to_char(${value}, 'HH24:MI:SS.${fraction(column)}')`;
    case "timestamp":
      return `to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.${fraction(column)}')`;
    case "timestamptz":
      return `to_char(convert_timezone('UTC', ${value}), 'YYYY-MM-DD"T"HH24:MI:SS.${fraction(column)}"Z"')`;
    case "binary":
      return `lower(hex_encode(${value}))`;
    case "json":
      return `to_json(to_variant(${value}))`;
  }
}

function float(value: string, finite: (number: string) => string): string {
  const number = `cast(${value} as float)`;
  const named = ["NaN", "inf", "-inf"].map((name) => `when ${number} = cast('${name}' as float) then '${name}'`);
  return `case ${named.join(" ")} else ${finite(number)} end`;
}

function fraction({ native }: Column): "FF6" | "FF9" {
  return /\([789]\)$/.test(native) ? "FF9" : "FF6";
}

/** A column as the driver describes it. */
export function toColumn({ name, type, precision, scale }: NativeColumn): Column {
  return { name: columnName(name), type: logicalType(type, scale), native: nativeType(type, precision, scale) };
}

function logicalType(type: string, scale: number): ColumnType {
  if (type === "fixed") return scale === 0 ? "integer" : "decimal";
  return logicalTypes[type] ?? "text";
}

/** GEOGRAPHY and GEOMETRY reach the driver as objects. */
const logicalTypes: Readonly<Record<string, ColumnType>> = {
  real: "float",
  boolean: "boolean",
  date: "date",
  time: "time",
  timestamp_ntz: "timestamp",
  timestamp_ltz: "timestamptz",
  timestamp_tz: "timestamptz",
  binary: "binary",
  variant: "json",
  object: "json",
  array: "json",
  map: "json",
};

function nativeType(type: string, precision: number, scale: number): string {
  if (type === "fixed") return `NUMBER(${precision},${scale})`;
  if (type === "real") return "FLOAT";
  return type.startsWith("time") ? `${type.toUpperCase()}(${scale})` : type.toUpperCase();
}
