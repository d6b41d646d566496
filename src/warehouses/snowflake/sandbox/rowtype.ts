/** How a column of DuckDB's is told of in Snowflake's answers, and how its values are written there. */
import { DuckDBDecimalType, DuckDBTypeId, type DuckDBType } from "@duckdb/node-api";
import { otherSide } from "./sql/names.ts";

/** A column as the driver reads it. */
export interface RowType {
  readonly name: string;
  readonly type: string;
  readonly precision: number | null;
  readonly scale: number | null;
  readonly length: number | null;
  readonly byteLength: number | null;
  readonly nullable: boolean;
  readonly database: string;
  readonly schema: string;
  readonly table: string;
}

interface Encoding {
  readonly type: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly length?: number;
  /** The value as text in SQL. */
  readonly text: (value: string) => string;
  /** Whether the text may have characters that JSON escapes. */
  readonly escape?: boolean;
}

const maxText = 16_777_216;

const plain = (value: string): string => `cast(${value} as varchar)`;
/** So many units of a second as seconds with decimals. Before 1970 the sign is one of the whole, hence the slow way. */
function seconds(units: string, digits: 6 | 9): string {
  const perSecond = 10 ** digits;
  const slow = `cast(cast(${units} as decimal(19,0)) * cast(1e-${digits} as decimal(${digits + 1},${digits})) as varchar)`;
  const fraction = `right(cast(${perSecond} + ${units} % ${perSecond} as varchar), ${digits})`;
  return `case when ${units} >= 0 then (${units} // ${perSecond}) || '.' || ${fraction} else ${slow} end`;
}

const integer: Encoding = { type: "fixed", precision: 38, scale: 0, text: plain };
const text: Encoding = { type: "text", length: maxText, text: plain, escape: true };
const json: Encoding = { type: "variant", text: (value) => `cast(to_json(${value}) as varchar)`, escape: true };
const real: Encoding = { type: "real", text: plain };

const timestamp = (scale: number): Encoding => ({
  type: "timestamp_ntz",
  scale,
  text: (value) =>
    scale === 9 ? seconds(`epoch_ns(${value})`, 9) : seconds(`epoch_us(cast(${value} as timestamp))`, 6),
});

const encodings = new Map<DuckDBTypeId, Encoding>([
  ...[DuckDBTypeId.TINYINT, DuckDBTypeId.SMALLINT, DuckDBTypeId.INTEGER, DuckDBTypeId.BIGINT].map(
    (id) => [id, integer] as const,
  ),
  ...[DuckDBTypeId.UTINYINT, DuckDBTypeId.USMALLINT, DuckDBTypeId.UINTEGER, DuckDBTypeId.UBIGINT].map(
    (id) => [id, integer] as const,
  ),
  [DuckDBTypeId.HUGEINT, integer],
  [DuckDBTypeId.FLOAT, real],
  [DuckDBTypeId.DOUBLE, real],
  [DuckDBTypeId.BOOLEAN, { type: "boolean", text: plain }],
  [DuckDBTypeId.DATE, { type: "date", text: (value) => `cast(${value} - date '1970-01-01' as varchar)` }],
  [DuckDBTypeId.TIME, { type: "time", scale: 6, text: (value) => seconds(`epoch_us(${value})`, 6) }],
  [DuckDBTypeId.TIMESTAMP_S, timestamp(0)],
  [DuckDBTypeId.TIMESTAMP_MS, timestamp(3)],
  [DuckDBTypeId.TIMESTAMP, timestamp(6)],
  [DuckDBTypeId.TIMESTAMP_NS, timestamp(9)],
  [
    DuckDBTypeId.TIMESTAMP_TZ,
    // DuckDB keeps the moment, not the offset that it was given with: it is told in UTC.
    { type: "timestamp_tz", scale: 6, text: (value) => `${seconds(`epoch_us(${value})`, 6)} || ' 1440'` },
  ],
  [DuckDBTypeId.BLOB, { type: "binary", length: 8_388_608, text: (value) => `hex(${value})` }],
  [DuckDBTypeId.STRUCT, json],
  [DuckDBTypeId.LIST, json],
  [DuckDBTypeId.ARRAY, json],
  [DuckDBTypeId.MAP, json],
]);

function encodingOf(type: DuckDBType): Encoding {
  if (type instanceof DuckDBDecimalType) {
    return { type: "fixed", precision: type.width, scale: type.scale, text: plain };
  }
  if (type.typeId === DuckDBTypeId.VARCHAR && type.alias === "JSON") return { ...json, text: plain };
  return encodings.get(type.typeId) ?? text;
}

/** A column of an answer. */
export function rowType(name: string, type: DuckDBType): RowType {
  const { text: _text, escape: _escape, ...described } = encodingOf(type);
  return fullRowType({ name: otherSide(name), ...described });
}

/** A column with what is not said of it left empty. */
export function fullRowType(given: Pick<RowType, "name" | "type"> & Partial<RowType>): RowType {
  const nothing = { precision: null, scale: null, length: null, byteLength: null, nullable: true };
  return { ...nothing, database: "", schema: "", table: "", ...given };
}

/** SQL for a value as it stands in an answer's JSON: a text in quotes, or null. */
export function jsonCell(column: string, type: DuckDBType): string {
  const { text: asText, escape = false } = encodingOf(type);
  const written = asText(column);
  return escape
    ? `coalesce(cast(to_json(${written}) as varchar), 'null')`
    : `coalesce('"' || ${written} || '"', 'null')`;
}
