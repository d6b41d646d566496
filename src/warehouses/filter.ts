/**
 * A segment's filter as SQL.
 *
 * A row is in or out, never unknown: a null value is not equal to anything, so `!=` and `not_in` hold for it and every
 * other comparison does not. `not` is therefore the exact complement.
 */
import { WarehouseError } from "../errors.ts";
import type { Condition, Filter } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";
import { enclose } from "./statement.ts";

/** The filter as a condition in parentheses. */
export function filterSql(filter: Filter, dialect: Dialect): string {
  if ("all" in filter) return joined(filter.all, "and", "true", dialect);
  if ("any" in filter) return joined(filter.any, "or", "false", dialect);
  if ("not" in filter) return `(not coalesce(${filterSql(filter.not, dialect)}, false))`;
  if ("sql" in filter) return `(${enclose(filter.sql, dialect.sqlText)})`;
  return `(${conditionSql(filter, dialect)})`;
}

function joined(filters: readonly Filter[], word: "and" | "or", empty: string, dialect: Dialect): string {
  if (filters.length === 0) return `(${empty})`;
  return `(${filters.map((filter) => filterSql(filter, dialect)).join(` ${word} `)})`;
}

function conditionSql(condition: Condition, dialect: Dialect): string {
  const column = dialect.column(condition.column);
  const text = `cast(${column} as varchar)`;
  switch (condition.is) {
    case "null":
      return `${column} is null`;
    case "not_null":
      return `${column} is not null`;
    case "in":
      return condition.value.length === 0 ? "false" : `${column} in (${list(condition.value, dialect)})`;
    case "not_in":
      if (condition.value.length === 0) return "true";
      return `${column} is null or ${column} not in (${list(condition.value, dialect)})`;
    case "contains":
      return `position(${dialect.literal(condition.value)} in ${text}) > 0`;
    case "starts_with":
      return `left(${text}, ${characters(condition.value)}) = ${dialect.literal(condition.value)}`;
    case "ends_with":
      return `right(${text}, ${characters(condition.value)}) = ${dialect.literal(condition.value)}`;
    case "!=":
      return `${column} is null or ${column} <> ${scalar(condition.value, dialect)}`;
    case "=":
    case ">":
    case ">=":
    case "<":
    case "<=":
      return `${column} ${condition.is} ${scalar(condition.value, dialect)}`;
  }
}

function list(values: readonly (string | number | boolean)[], dialect: Dialect): string {
  return values.map((value) => scalar(value, dialect)).join(", ");
}

function scalar(value: string | number | boolean, dialect: Dialect): string {
  if (typeof value === "string") return dialect.literal(value);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new WarehouseError("filter_invalid", `${value} cannot be compared with in a filter.`);
  }
  return String(value);
}

function characters(text: string): number {
  return Array.from(text).length;
}
