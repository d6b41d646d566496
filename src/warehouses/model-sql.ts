/** A model as SQL: its statement or table, narrowed by its filter. */
import { WarehouseError } from "../errors.ts";
import type { Column, ModelQuery } from "../warehouse.ts";
import type { Database, Dialect } from "./dialect.ts";
import { filterSql } from "./filter.ts";
import { parseName, plannerTables, quote } from "./names.ts";
import { makePlannerTables } from "./planner-schema.ts";
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

/**
 * The value of a column in the rows of a model, as SQL. One that is looked up is asked of another sync's state, in the
 * same planner schema.
 */
export function columnValue({ name, lookup }: Column, schema: readonly string[], dialect: Dialect): string {
  if (lookup === undefined) return dialect.column(name);
  const { state } = plannerTables(schema, lookup.state);
  const key = dialect.bytewise(dialect.cell(lookup.by, `model.${dialect.column(lookup.by.name)}`));
  return `(select max(known.destination_id) from ${state} as known where known.row_key = ${key})`;
}

/** State that is kept outside of the source cannot be looked into by it. */
export function noLookups(): WarehouseError {
  return new WarehouseError(
    "lookup_unsupported",
    "Nothing can be looked up in state that is kept outside of the source.",
    {
      hint: "Take the lookup out of the mapping, or let the source keep plan and state in the warehouse.",
    },
  );
}

/** Makes the tables that columns are looked up in, as far as they are missing: a sync that never ran knows nothing. */
export async function makeLookedUp(
  columns: readonly Column[],
  schema: readonly string[],
  database: Database,
): Promise<void> {
  const states = new Set(columns.flatMap(({ lookup }) => (lookup === undefined ? [] : [lookup.state])));
  for (const name of states) {
    const { state } = plannerTables(schema, name);
    await makePlannerTables(database, schema, { state });
  }
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
