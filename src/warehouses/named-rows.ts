/** Rows that a run names by their keys, as SQL. A key is data: it is compared with, never anything else. */
import type { Column, RowKey } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";

/** A query for the row keys that are named: one column, `row_key`. `toRowKey` makes one text of the key columns' texts. */
export function namedKeys(
  keys: readonly RowKey[],
  columns: readonly Column[],
  dialect: Dialect,
  toRowKey: (texts: readonly string[]) => string,
): string {
  const names = columns.map((_, index) => `k${index}`);
  const select = `select distinct ${dialect.bytewise(toRowKey(names))} as row_key`;
  if (keys.length === 0)
    return `${select} from (values (${names.map(() => "''").join(", ")})) as k(${names.join(", ")}) where 1 = 0`;
  const rows = keys.map((key) => columns.map((column, index) => dialect.literal(asCell(key[index] ?? "", column))));
  return `${select} from (values ${rows.map((row) => `(${row.join(", ")})`).join(", ")}) as k(${names.join(", ")})`;
}

/**
 * A condition that is true for every row that is named. It may be for others too, so what it lets through is compared
 * once more: it is there for the warehouse to find the rows by index, partition or zone instead of reading them all.
 */
export function mayBeNamed(keys: readonly RowKey[], columns: readonly Column[], dialect: Dialect): string {
  const conditions = columns.map((column, index) => {
    const values = new Set(keys.map((key) => asCell(key[index] ?? "", column)));
    return isOneOf(column, [...values], dialect);
  });
  return `(${conditions.join(" and ")})`;
}

function isOneOf(column: Column, values: readonly string[], dialect: Dialect): string {
  const name = dialect.column(column.name);
  const [found, list] = typedList(column, name, values, dialect);
  return list.length === 0 ? "1 = 0" : `${found} in (${list.join(", ")})`;
}

/** What to look in, and for what, so that an index of the column can be used where its type allows it. */
function typedList(
  column: Column,
  name: string,
  values: readonly string[],
  dialect: Dialect,
): readonly [string, readonly string[]] {
  // A text that is no number, or no UUID, is the key of no row.
  if (column.type === "integer") return [name, values.filter((value) => integerPattern.test(value))];
  if (uuidType.test(column.native)) {
    const uuids = values.filter((value) => uuidPattern.test(value));
    return [name, uuids.map((value) => `cast(${dialect.literal(value)} as uuid)`)];
  }
  const literals = values.map((value) => dialect.literal(value));
  return textType.test(column.native) ? [name, literals] : [dialect.cell(column, name), literals];
}

/** As many digits as any warehouse's integers have. */
const integerPattern = /^-?\d{1,38}$/;
const uuidType = /^uuid$/i;
const uuidPattern = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
const textType = /^(?:text|varchar|character varying|string)\b/i;

/** A key as the column's cells are written: `007` of a whole number is `7`. What cannot be one stays, and is not found. */
function asCell(text: string, { type, native }: Column): string {
  if (type === "integer" && /^[+-]?\d{1,40}$/.test(text)) return String(BigInt(text.replace("+", "")));
  if (type === "decimal" && /^-?\d+\.\d+$/.test(text)) return text.replace(/\.?0+$/, "");
  if (type === "boolean" || uuidType.test(native)) return text.toLowerCase();
  return text;
}
