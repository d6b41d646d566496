/** When the tables behind a model last changed, as Snowflake knows without reading them. */
import type { Filter, ModelQuery } from "../../warehouse.ts";
import { WarehouseError } from "../../errors.ts";
import type { Database } from "../dialect.ts";
import { quote } from "../names.ts";
import { snowflakeDialect } from "./dialect.ts";
import { tablesOf } from "./tables.ts";

/** Functions whose value is another one tomorrow, or every time. */
const changing =
  /\b(current_(date|time|timestamp|user|role)|localtime(stamp)?|getdate|sysdate|systimestamp|random|randstr|uniform|uuid_string|seq[1248]|last_query_id)\b/i;

/**
 * A text that changes with every change of a table or view that the model reads. Null when the model also depends on
 * the time or on chance, or when Snowflake does not tell.
 */
export async function lastChange(database: Database, model: ModelQuery, signal?: AbortSignal): Promise<string | null> {
  if (sqlOf(model).some((sql) => changing.test(sql))) return null;
  // A condition that asks another table is not looked into.
  if (model.filter !== undefined && filterSql(model.filter).some((sql) => /\bselect\b/i.test(sql))) return null;
  const tables = (await tablesOf(model)).map((parts) => snowflakeDialect.literal(parts.map(quote).join(".")));
  if (tables.length === 0) return null;
  const asked = tables.map((table) => `system$last_change_commit_time(${table})`);
  try {
    const [row = []] = await database.session((session) => session.query(`select ${asked.join(", ")}`), { signal });
    return row.some((time) => time === null || !/^[1-9]\d*$/.test(time)) ? null : row.join(" ");
  } catch (error) {
    signal?.throwIfAborted();
    // An external table, a share, a right that is missing: then every run compares.
    if (error instanceof WarehouseError && error.code !== "unreachable") return null;
    throw error;
  }
}

/** The SQL that people wrote, of the model and of the segment's filter. */
function sqlOf({ from, filter }: ModelQuery): readonly string[] {
  return [...("sql" in from ? [from.sql] : []), ...(filter === undefined ? [] : filterSql(filter))];
}

function filterSql(filter: Filter): readonly string[] {
  if ("all" in filter) return filter.all.flatMap(filterSql);
  if ("any" in filter) return filter.any.flatMap(filterSql);
  if ("not" in filter) return filterSql(filter.not);
  return "sql" in filter ? [filter.sql] : [];
}
