/** CREATE, DROP and ALTER. */
import { alterSession } from "./session-statements.ts";
import { done, type Executed, type Execution, requireWritable, type Workplace } from "./executed.ts";
import { notFound, unknownToSandbox } from "./failure.ts";
import type { Session } from "./session.ts";
import { database, nameParts, quoted, schemaInDuckdb } from "./sql/names.ts";
import type { Translated } from "./sql/translate.ts";

export interface DefinitionContext {
  readonly place: Workplace;
  readonly session: Session;
  readonly execution: Execution;
  /** A statement of Snowflake's as DuckDB's. */
  readonly translate: (sql: string) => Translated;
}

/** Statements that define something end a transaction, as in Snowflake. */
export async function define(sql: string, plain: string, context: DefinitionContext): Promise<Executed> {
  const { session, execution } = context;
  const [, verb = "", kind = ""] =
    /^(create|drop|alter)\s+(?:or\s+replace\s+)?(?:(?:temp|temporary|transient|local|global|volatile)\s+)*(\w+)/i.exec(
      plain,
    ) ?? [];
  if (/^session$/i.test(kind)) {
    alterSession(plain, session);
    return done("Statement executed successfully.");
  }
  if (execution.describeOnly) return done("");
  await session.commit();
  try {
    return await defined(kind.toUpperCase(), sql, plain, verb.toUpperCase(), context);
  } finally {
    // Without AUTOCOMMIT too, what is defined is there.
    await session.commit();
  }
}

async function defined(
  kind: string,
  sql: string,
  plain: string,
  verb: string,
  context: DefinitionContext,
): Promise<Executed> {
  switch (kind) {
    case "STAGE":
      return await stage(plain, verb, context);
    case "DATABASE":
      return done("There is one database, and every name of a database means it.");
    case "SCHEMA":
      return await schema(plain, verb, context);
    case "TABLE":
    case "VIEW":
      return await table(sql, verb, context);
    default:
      throw unknownToSandbox(`${verb} ${kind}`);
  }
}

async function table(sql: string, verb: string, context: DefinitionContext): Promise<Executed> {
  const { place, session, execution } = context;
  const { sql: translated, target } = context.translate(sql);
  const name = target?.name ?? "";
  const temporary = target?.temporary === true;
  requireWritable(place, name, temporary);
  await session.write(name, execution.signal, async () => {
    await session.connection.run(translated);
  });
  if (temporary && verb === "CREATE") session.temporary.add(name);
  if (temporary && verb === "DROP") session.temporary.delete(name);
  const ended = { CREATE: "created", DROP: "dropped", ALTER: "altered" }[verb] ?? "done";
  return done(verb === "DROP" ? `${name} successfully dropped.` : `Table ${name} successfully ${ended}.`);
}

async function schema(sql: string, verb: string, { place, session, execution }: DefinitionContext): Promise<Executed> {
  const form =
    /^(?:create(\s+or\s+replace)?(?:\s+transient)?|drop)\s+schema\s+(if\s+(?:not\s+)?exists\s+)?("[^]*?"(?=\s|$)|[^\s;]+)/i;
  const [, replace, quiet = "", written = ""] = form.exec(sql) ?? [];
  const name = nameParts(written).at(-1);
  if (name === undefined || verb === "ALTER") throw unknownToSandbox("ALTER SCHEMA");
  requireWritable(place, name, false);
  const inDuckdb = `${quoted(database)}.${quoted(schemaInDuckdb(name))}`;
  await session.write(name, execution.signal, async () => {
    if (replace !== undefined) await session.connection.run(`drop schema if exists ${inDuckdb} cascade`);
    await session.connection.run(`${verb} schema ${quiet} ${inDuckdb}${verb === "DROP" ? " cascade" : ""}`);
  });
  return done(`Schema ${name} successfully ${verb === "DROP" ? "dropped" : "created"}.`);
}

async function stage(sql: string, verb: string, { place, session }: DefinitionContext): Promise<Executed> {
  const form = /stage\s+(if\s+(?:not\s+)?exists\s+)?((?:"(?:[^"]|"")*"|[\w$.])+)/i;
  const [, quiet, name = ""] = form.exec(sql) ?? [];
  requireWritable(place, name, false);
  const { stages } = place;
  const { schema: within } = session.place;
  if (verb === "DROP") {
    if (!(await stages.drop(name, within)) && quiet === undefined) throw notFound("Stage", name.toUpperCase());
    return done(`${name.toUpperCase()} successfully dropped.`);
  }
  if (verb !== "CREATE") throw unknownToSandbox("ALTER STAGE");
  stages.create(name, within);
  return done(`Stage area ${name.toUpperCase()} successfully created.`);
}
