/** SHOW and DESCRIBE: what there is, in the columns that clients read of it. */
import { notFound, unknownToSandbox } from "./failure.ts";
import { type Cells, describe, type ResultSet, smallResult } from "./results.ts";
import type { RowType } from "./rowtype.ts";
import type { Session } from "./session.ts";
import { database, literal, nameParts, otherSide, quoted, schemaInDuckdb } from "./sql/names.ts";
import { textColumn } from "./stage-statements.ts";

/** Runs a SHOW. */
export async function show(sql: string, session: Session, sessions: readonly Session[]): Promise<ResultSet> {
  const found = /^show\s+(?:terse\s+)?(\w+)(.*)$/is.exec(sql);
  const [, what = "", rest = ""] = found ?? [];
  const [, like = "%"] = /\blike\s+'((?:[^']|'')*)'/i.exec(rest) ?? [];
  const scope = nameParts(
    /\bin\s+(?:(?:table|schema|database|account|view)\b\s*)?("[^;]*|[\w$.]*)/i.exec(rest)?.[1]?.trim() ?? "",
  );
  switch (what.toUpperCase()) {
    case "TABLES":
      return await showTables(like, scope, /\bin\s+(account|database)\b/i.test(rest), session);
    case "SCHEMAS":
      return await listed(
        ["name", "database_name"],
        `select schema_name, catalog_name from snowflake.main.information_schema_schemata
          where schema_name ilike ${literal(like)} order by 1`,
        session,
      );
    case "COLUMNS":
      return await showColumns(scope, session);
    case "TRANSACTIONS":
      return smallResult(
        ["id", "user", "session", "name", "started_on", "state", "scope"].map(textColumn),
        sessions.flatMap(({ user, id, transaction }) =>
          transaction === null || user !== session.user
            ? []
            : [
                [
                  String(transaction.id),
                  user,
                  String(id),
                  transaction.name,
                  transaction.startedAt.toISOString(),
                  "running",
                  "0",
                ],
              ],
        ),
      );
    case "GRANTS":
      return smallResult(
        ["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name"].map(textColumn),
        [[null, "OWNERSHIP", "DATABASE", session.place.database, "ROLE", session.place.role]],
      );
    case "DATABASES":
      return smallResult([textColumn("name")], [[session.place.database]]);
    case "WAREHOUSES":
      return smallResult(
        [textColumn("name"), textColumn("state")],
        session.place.warehouse === null ? [] : [[session.place.warehouse, "STARTED"]],
      );
    default:
      throw unknownToSandbox(`SHOW ${what.toUpperCase()}`);
  }
}

async function showTables(like: string, scope: readonly string[], all: boolean, session: Session): Promise<ResultSet> {
  const schema = scope.at(-1) ?? session.place.schema;
  const within = all ? "" : ` and table_schema = ${literal(schema)}`;
  return await listed(
    ["name", "database_name", "schema_name", "kind", "rows"],
    `select table_name, table_catalog, table_schema, 'TABLE', row_count from snowflake.main.information_schema_tables
      where table_type <> 'VIEW' and table_name ilike ${literal(like)}${within} order by 3, 1`,
    session,
  );
}

async function showColumns(scope: readonly string[], session: Session): Promise<ResultSet> {
  const table = scope.at(-1);
  const within = table === undefined ? "" : ` where table_name = ${literal(table)}`;
  return await listed(
    ["table_name", "schema_name", "column_name", "data_type", "null?", "database_name"],
    `select table_name, table_schema, column_name, '{"type":"' || data_type || '"}', is_nullable, table_catalog
      from snowflake.main.information_schema_columns${within} order by table_schema, table_name, ordinal_position`,
    session,
  );
}

/** Runs a DESCRIBE TABLE or DESCRIBE VIEW. */
export async function describeTable(sql: string, session: Session): Promise<ResultSet> {
  const [, written] = /^desc(?:ribe)?\s+(?:table|view)\s+(\S+)\s*$/i.exec(sql) ?? [];
  if (written === undefined) throw unknownToSandbox("DESCRIBE but of a TABLE or VIEW");
  const parts = nameParts(written);
  const name = parts.at(-1) ?? "";
  const table = session.temporary.has(name)
    ? quoted(otherSide(name))
    : [database, schemaInDuckdb(parts.at(-2) ?? session.place.schema), otherSide(name)].map(quoted).join(".");
  const columns = await describe(session.connection, `select * from ${table}`).catch(() => {
    throw notFound("Table", parts.join("."));
  });
  const nullable = await session.connection.runAndReadAll(
    `select is_nullable from duckdb_columns() where table_name = ${literal(otherSide(name))} order by column_index`,
  );
  const rows = columns.map((column, index): Cells => {
    const required = nullable.getRows()[index]?.[0] === false;
    return [column.name, nativeType(column), "COLUMN", required ? "N" : "Y", null, "N", "N"];
  });
  return smallResult(["name", "type", "kind", "null?", "default", "primary key", "unique key"].map(textColumn), rows);
}

function nativeType({ type, precision, scale }: RowType): string {
  if (type === "fixed") return `NUMBER(${precision},${scale})`;
  if (type === "real") return "FLOAT";
  if (type === "text") return "VARCHAR(16777216)";
  if (type === "binary") return "BINARY(8388608)";
  return type.startsWith("time") ? `${type.toUpperCase()}(${scale})` : type.toUpperCase();
}

async function listed(names: readonly string[], sql: string, session: Session): Promise<ResultSet> {
  const rows = (await session.connection.runAndReadAll(sql)).getRows();
  const texts = rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  return smallResult(names.map(textColumn), texts);
}
