/** How DuckDB spells what the planner needs. */
import type { Column, ColumnType } from "../../warehouse.ts";
import type { Dialect } from "../dialect.ts";
import { quote } from "../names.ts";

export const duckdbDialect: Dialect = {
  // DuckDB compares names without regard to case.
  fold: (name) => name,
  columnIdentity: (name) => name.toLowerCase(),
  column: quote,
  sqlText: { backslashEscapes: false, slashComments: false },
  literal,
  text: "varchar",
  bytewise: (text) => text,
  fingerprintType: "uhugeint",
  materialized: " materialized",
  cell,
  stableCell(column, value) {
    switch (column.type) {
      case "float":
        // 15 digits: sums done in parallel differ in the last ones. Adding 0 makes -0 a plain 0.
        return `format('{:.14e}', cast(${value} as double) + 0.0)`;
      case "timestamp":
      case "timestamptz":
        // A column that is widened to nanoseconds keeps its fingerprints.
        return isNanoseconds(column)
          ? cell(column, value)
          : `${cell({ ...column, type: "timestamp" }, value)} || '000'`;
      default:
        return cell(column, value);
    }
  },
  fingerprint(texts) {
    const parts = texts.map((text) => `coalesce(strlen(${text}) || ':' || ${text}, '~')`);
    return `md5_number(concat(${parts.join(", ")}))`;
  },
  // DuckDB takes 70 µs to write such a number in digits.
  fingerprintText: (fingerprint) => `hex(${fingerprint})`,
  json: (text) => `cast(to_json(${text}) as varchar)`,
  // Paging by seq skips row groups by their bounds: a plan is written in order.
  freeze: (plan, query) => [`drop table if exists ${plan}`, `create table ${plan} as\n${query}`],
  createTable: (table, columns) => `create table if not exists ${table} (${columns})`,
  madeOnce: ["runs", "state", "failed", "outcomes", "kept", "past", "staged"],
  findSchema: (schema) =>
    `select 1 from information_schema.schemata where ${inSchema("schema_name", "catalog_name", schema)}`,
  findTables: (schema) =>
    `select table_name from information_schema.tables where ${inSchema("table_schema", "table_catalog", schema)}`,
  grants: (schema) => `create schema ${schema}; and let the process write the database file`,
};

function literal(text: string): string {
  return text
    .split("\0")
    .map((part) => `'${part.replaceAll("'", "''")}'`)
    .join(" || chr(0) || ");
}

function inSchema(schemaColumn: string, catalogColumn: string, schema: readonly string[]): string {
  const [name = "", catalog] = schema.toReversed();
  const inCatalog = catalog === undefined ? "current_database()" : literal(catalog);
  return `lower(${schemaColumn}) = lower(${literal(name)}) and lower(${catalogColumn}) = lower(${inCatalog})`;
}

function isNanoseconds({ native }: Column): boolean {
  return native === "TIMESTAMP_NS" || native === "TIME_NS";
}

function cell(column: Column, value: string): string {
  const text = `cast(${value} as varchar)`;
  switch (column.type) {
    case "text":
    case "integer":
    case "boolean":
    case "date":
      return text;
    case "decimal":
      return column.native.endsWith(",0)") ? text : `rtrim(rtrim(${text}, '0'), '.')`;
    case "float":
      // `100.0` → `100`
      return `regexp_replace(cast(cast(${value} as double) as varchar), '\\.0$', '')`;
    case "time": {
      const dotted = `${text} || case when strlen(${text}) = 8 then '.' else '' end`;
      return `rpad(${dotted}, ${isNanoseconds(column) ? 18 : 15}, '0')`;
    }
    case "timestamp":
      return isNanoseconds(column)
        ? `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%n')`
        : `strftime(cast(${value} as timestamp), '%Y-%m-%dT%H:%M:%S.%f')`;
    case "timestamptz":
      // The session's time zone is UTC.
      return `strftime(cast(${value} as timestamp), '%Y-%m-%dT%H:%M:%S.%fZ')`;
    case "binary":
      return `lower(hex(${value}))`;
    case "json":
      return column.native === "JSON"
        ? text
        : `case when ${value} is not null then cast(to_json(${value}) as varchar) end`;
  }
}

const exactTypes: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: "boolean",
  TINYINT: "integer",
  SMALLINT: "integer",
  INTEGER: "integer",
  BIGINT: "integer",
  HUGEINT: "integer",
  UTINYINT: "integer",
  USMALLINT: "integer",
  UINTEGER: "integer",
  UBIGINT: "integer",
  UHUGEINT: "integer",
  BIGNUM: "integer",
  FLOAT: "float",
  DOUBLE: "float",
  DATE: "date",
  TIME: "time",
  TIME_NS: "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
  BLOB: "binary",
  JSON: "json",
  VARIANT: "json",
};

/** The logical type of a DuckDB type. What has none of its own (UUID, ENUM, INTERVAL, BIT, …) is text. */
export function duckdbType(native: string): ColumnType {
  const exact = exactTypes[native];
  if (exact !== undefined) return exact;
  if (native.startsWith("DECIMAL(")) return "decimal";
  if (/^(STRUCT|MAP|UNION)\(|\]$/.test(native)) return "json";
  return "text";
}
