/** A model as SQL: its statement or table, narrowed by its filter. */
import type { ModelQuery } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";
import { filterSql } from "./filter.ts";
import { parseName, quote } from "./names.ts";
import { enclose, oneStatement } from "./statement.ts";

/** The rows of a model, narrowed by its filter and by a condition of ours: `from … where …`. */
export function modelSource(model: ModelQuery, dialect: Dialect, narrowing?: string): string {
  const filter = model.filter === undefined ? [] : [filterSql(model.filter, dialect)];
  const conditions = narrowing === undefined ? filter : [...filter, narrowing];
  const from = `from ${modelTable(model, dialect)}`;
  return conditions.length === 0 ? from : `${from}\nwhere ${conditions.join(" and ")}`;
}

/** The model as one statement of its own, without its filter. */
export function modelStatement({ from }: ModelQuery, dialect: Dialect): string {
  return "sql" in from ? oneStatement(from.sql, dialect.sqlText) : `select * from ${tableName(from.table, dialect)}`;
}

function modelTable({ from }: ModelQuery, dialect: Dialect): string {
  if ("sql" in from) return `${enclose(from.sql, dialect.sqlText)} as model`;
  return `${tableName(from.table, dialect)} as model`;
}

function tableName(table: string, dialect: Dialect): string {
  return parseName(table, (part) => dialect.fold(part))
    .map(quote)
    .join(".");
}
