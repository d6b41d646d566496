/** Which tables a model is made of. */
import { WarehouseError } from "../../errors.ts";
import type { ModelQuery } from "../../warehouse.ts";
import { parseName } from "../names.ts";
import { oneStatement } from "../statement.ts";
import { snowflakeDialect } from "./dialect.ts";

/** The names of the tables and views that a model reads, in parts, folded as Snowflake folds them. */
export async function tablesOf({ from }: ModelQuery): Promise<readonly (readonly string[])[]> {
  if ("table" in from) return [parseName(from.table, fold)];
  // The parser takes 130 MB of memory.
  const { Dialect, parse } = await import("@polyglot-sql/sdk");
  const parsed = parse(oneStatement(from.sql, snowflakeDialect.sqlText), Dialect.Snowflake);
  if (!parsed.success) {
    throw new WarehouseError("sql_error", `A model's SQL could not be read: ${String(parsed.error)}`);
  }
  const named = new Set(find(parsed.ast, "ctes").flatMap((ctes) => find(ctes, "alias").map(nameOf)));
  return find(parsed.ast, "table")
    .map((table) =>
      ["catalog", "schema", "name"].map((part) => nameOf(member(table, part))).filter((part) => part !== ""),
    )
    .filter((parts) => parts.length > 0 && !(parts.length === 1 && named.has(parts[0] ?? "")));
}

/** Every value of members with this name, at any depth. */
function find(node: unknown, name: string): readonly unknown[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) => [
    ...(key === name && value !== null ? [value] : []),
    ...find(value, name),
  ]);
}

function nameOf(node: unknown): string {
  const name = member(node, "name");
  if (typeof name !== "string") return "";
  return member(node, "quoted") === true ? name : fold(name);
}

function member(node: unknown, name: string): unknown {
  return typeof node === "object" && node !== null ? Reflect.get(node, name) : undefined;
}

const fold = (name: string): string => snowflakeDialect.fold(name);
