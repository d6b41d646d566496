/** Runs one statement of a session and says what Snowflake would answer. */
import { alterSession, use } from "./session-statements.ts";
import { type Bindings, boundRow, boundRows } from "./binds.ts";
import { describeTable, show } from "./catalog.ts";
import { copyInto } from "./copy.ts";
import type { Engine } from "./engine.ts";
import { insufficientPrivileges, notFound, unknownToSandbox } from "./failure.ts";
import { type Cells, describe, type ResultSet, type ResultSize, runQuery, smallResult } from "./results.ts";
import { makeResultTable, resultTableName } from "./result-scan.ts";
import { fullRowType } from "./rowtype.ts";
import type { Session } from "./session.ts";
import { database, nameParts, quoted, schemaInDuckdb } from "./sql/names.ts";
import { singleStatement, withoutComments } from "./sql/text.ts";
import { type Binds, type Translated, translate, type TranslationContext } from "./sql/translate.ts";
import { get, list, put, remove, textColumn, type Transfer } from "./stage-statements.ts";
import type { Stages } from "./stages.ts";

export interface Execution {
  readonly sql: string;
  readonly queryId: string;
  readonly bindings: Bindings;
  readonly describeOnly: boolean;
  readonly signal: AbortSignal;
}

export interface Executed {
  readonly result: ResultSet;
  /** What kind of statement it was, by Snowflake's numbers. */
  readonly statementType: number;
  /** For PUT and GET: what the driver has to do. */
  readonly transfer?: Transfer;
}

export interface Workplace {
  readonly engine: Engine;
  readonly stages: Stages;
  readonly size: ResultSize;
  readonly readOnly: boolean;
  readonly storageToken: string;
  /** Files that tables have loaded. */
  readonly loaded: Set<string>;
  /** Where the server listens. */
  readonly url: () => string;
  /** The answer that a query was given. Throws when there is none. */
  readonly answer: (queryId: string) => ResultSet;
}

const types = {
  select: 0x1000,
  insert: 0x3100,
  update: 0x3200,
  delete: 0x3300,
  merge: 0x3400,
  ddl: 0x6000,
  other: 0x4000,
};

export class Executor {
  readonly #place: Workplace;

  constructor(place: Workplace) {
    this.#place = place;
  }

  /** Executes, or throws what is to be told. The session is this statement's until the promise settles. */
  async execute(execution: Execution, session: Session): Promise<Executed> {
    const sql = singleStatement(execution.sql);
    const plain = withoutComments(sql);
    const [verb = ""] = /^\(*\s*\w+/.exec(plain) ?? [];
    switch (verb.replaceAll(/[(\s]/g, "").toUpperCase()) {
      case "SELECT":
      case "WITH":
      case "VALUES":
      case "INSERT":
      case "UPDATE":
      case "DELETE":
      case "MERGE":
      case "TRUNCATE":
        return await this.#translated(sql, execution, session);
      case "CREATE":
      case "DROP":
      case "ALTER":
        return await this.#definition(sql, plain, execution, session);
      case "COPY":
        return { result: await this.#copy(plain, execution, session), statementType: 0x3600 };
      case "BEGIN":
      case "START":
      case "COMMIT":
      case "ROLLBACK":
        return await this.#transaction(plain, session);
      case "USE":
        await use(plain, session, () => this.#schemas(session));
        return done("Statement executed successfully.");
      case "SHOW":
        return { result: await show(plain, session), statementType: types.other };
      case "DESC":
      case "DESCRIBE":
        return { result: await describeTable(plain, session), statementType: types.other };
      default:
        return await this.#files(plain, session);
    }
  }

  async #files(sql: string, session: Session): Promise<Executed> {
    const { stages, readOnly, url, storageToken: token } = this.#place;
    const context = { stages, user: session.user, schema: session.place.schema, readOnly, url: url(), token };
    const [verb = ""] = /^\w+(\s+immediate)?/i.exec(sql) ?? [];
    const nothing = smallResult([], []);
    switch (verb.toUpperCase()) {
      case "PUT":
        return { result: nothing, statementType: types.other, transfer: await put(sql, context) };
      case "GET":
        return { result: nothing, statementType: types.other, transfer: get(sql, context) };
      case "LIST":
      case "LS":
        return { result: list(sql, context), statementType: types.other };
      case "REMOVE":
      case "RM":
        return { result: await remove(sql, context), statementType: types.other };
      default:
        throw unknownToSandbox(`the statement ${verb.toUpperCase()}`);
    }
  }

  async #translated(sql: string, execution: Execution, session: Session): Promise<Executed> {
    const { connection } = session;
    const row = boundRow(execution.bindings);
    const table = `binds_${execution.queryId.replaceAll("-", "")}`;
    const binds: Binds =
      row === null ? { kind: "rows", table } : { kind: row.length === 0 ? "none" : "row", values: row };
    const scanned = new Set<string>();
    const translated = translate(sql, this.#context(session, binds, scanned));
    for (const id of scanned) await makeResultTable(resultTableName(id), this.#place.answer(id), session);
    if (translated.target === null) {
      const result = execution.describeOnly
        ? smallResult(await describe(connection, translated.sql), [])
        : await runQuery(connection, translated.sql, this.#place.size);
      return { result, statementType: types.select };
    }
    if (execution.describeOnly) return { ...changed(translated.kind, new Map()), result: smallResult([], []) };
    this.#requireWritable(translated.target.name, translated.target.temporary);
    if (row === null) await fillBinds(table, boundRows(execution.bindings), session);
    try {
      return await session.write(translated.target.name, execution.signal, () => change(translated, session));
    } finally {
      if (row === null) await connection.run(`drop table if exists temp.${table}`).catch(() => undefined);
    }
  }

  /** Statements that define something end a transaction, as in Snowflake. */
  async #definition(sql: string, plain: string, execution: Execution, session: Session): Promise<Executed> {
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
    switch (kind.toUpperCase()) {
      case "STAGE":
        return await this.#stage(plain, verb.toUpperCase(), session);
      case "DATABASE":
        return done("There is one database, and every name of a database means it.");
      case "SCHEMA":
        return await this.#schema(plain, verb.toUpperCase(), execution, session);
      case "TABLE":
      case "VIEW":
        return await this.#table(sql, verb.toUpperCase(), execution, session);
      default:
        throw unknownToSandbox(`${verb.toUpperCase()} ${kind.toUpperCase()}`);
    }
  }

  async #table(sql: string, verb: string, execution: Execution, session: Session): Promise<Executed> {
    const { sql: translated, target } = translate(sql, this.#context(session, { kind: "none" }));
    const name = target?.name ?? "";
    const temporary = target?.temporary === true;
    this.#requireWritable(name, temporary);
    await session.write(name, execution.signal, async () => {
      await session.connection.run(translated);
    });
    if (temporary && verb === "CREATE") session.temporary.add(name);
    if (temporary && verb === "DROP") session.temporary.delete(name);
    const ended = { CREATE: "created", DROP: "dropped", ALTER: "altered" }[verb] ?? "done";
    return done(verb === "DROP" ? `${name} successfully dropped.` : `Table ${name} successfully ${ended}.`);
  }

  async #schema(sql: string, verb: string, { signal }: Execution, session: Session): Promise<Executed> {
    const form =
      /^(?:create(\s+or\s+replace)?(?:\s+transient)?|drop)\s+schema\s+(if\s+(?:not\s+)?exists\s+)?("[^]*?"(?=\s|$)|[^\s;]+)/i;
    const [, replace, quiet = "", written = ""] = form.exec(sql) ?? [];
    const name = nameParts(written).at(-1);
    if (name === undefined || verb === "ALTER") throw unknownToSandbox("ALTER SCHEMA");
    this.#requireWritable(name, false);
    const schema = `${quoted(database)}.${quoted(schemaInDuckdb(name))}`;
    await session.write(name, signal, async () => {
      if (replace !== undefined) await session.connection.run(`drop schema if exists ${schema} cascade`);
      await session.connection.run(`${verb} schema ${quiet} ${schema}${verb === "DROP" ? " cascade" : ""}`);
    });
    return done(`Schema ${name} successfully ${verb === "DROP" ? "dropped" : "created"}.`);
  }

  async #stage(sql: string, verb: string, session: Session): Promise<Executed> {
    const form = /stage\s+(if\s+(?:not\s+)?exists\s+)?((?:"(?:[^"]|"")*"|[\w$.])+)/i;
    const [, quiet, name = ""] = form.exec(sql) ?? [];
    this.#requireWritable(name, false);
    const { stages } = this.#place;
    const { schema } = session.place;
    if (verb === "DROP") {
      if (!(await stages.drop(name, schema)) && quiet === undefined) throw notFound("Stage", name.toUpperCase());
      return done(`${name.toUpperCase()} successfully dropped.`);
    }
    if (verb !== "CREATE") throw unknownToSandbox("ALTER STAGE");
    stages.create(name, schema);
    return done(`Stage area ${name.toUpperCase()} successfully created.`);
  }

  async #copy(sql: string, { signal }: Execution, session: Session): Promise<ResultSet> {
    const { stages, readOnly, loaded } = this.#place;
    const translateQuery = (query: string): string => translate(query, this.#context(session, { kind: "none" })).sql;
    return await copyInto(sql, { session, stages, readOnly, signal, loaded, translate: translateQuery });
  }

  async #transaction(sql: string, session: Session): Promise<Executed> {
    if (/^(begin|start)(\s+(transaction|work))?(\s+name\s+\w+)?$/i.test(sql)) session.begin();
    else if (/^commit(\s+work)?$/i.test(sql)) await session.commit();
    else if (/^rollback(\s+work)?$/i.test(sql)) await session.rollback();
    else throw unknownToSandbox(`${sql.split(/\s+/, 2).join(" ").toUpperCase()}: scripts are not run`);
    return done("Statement executed successfully.");
  }

  #requireWritable(name: string, temporary: boolean): void {
    if (this.#place.readOnly && !temporary) throw insufficientPrivileges(`table '${name}'`);
  }

  async #schemas(session: Session): Promise<ReadonlySet<string>> {
    const sql = "select schema_name from snowflake.main.information_schema_schemata";
    const rows = (await session.connection.runAndReadAll(sql)).getRows();
    return new Set(rows.map(([name]) => String(name)));
  }

  #context(session: Session, binds: Binds, scanned = new Set<string>()): TranslationContext {
    const { engine, stages } = this.#place;
    const { user, id: sessionId, lastQueryId } = session;
    return {
      ...session.place,
      user,
      sessionId,
      lastQueryId,
      binds,
      changeToken: (table: string): string => engine.changes.token(nameParts(table).at(-1) ?? ""),
      isTemporary: (table: string): boolean => session.temporary.has(table),
      stageFiles: (stage: string): readonly string[] => {
        const place = stages.place(stage, { user, schema: session.place.schema });
        return stages.files(place).map((file) => stages.fullPath(place, file));
      },
      resultTable: (queryId: string): string => {
        scanned.add(queryId);
        return resultTableName(queryId);
      },
    };
  }
}

/** Binds wait as texts; DuckDB turns them into what the columns are. */
async function fillBinds(table: string, rows: readonly Cells[], { connection }: Session): Promise<void> {
  const columns = (rows[0] ?? []).map((_, index) => `c${index + 1} varchar`);
  await connection.run(`create temporary table ${table} (${columns.join(", ")})`);
  const appender = await connection.createAppender(table, "main", "temp");
  for (const row of rows) {
    for (const value of row) {
      if (value === null) appender.appendNull();
      else appender.appendVarchar(value);
    }
    appender.endRow();
  }
  appender.closeSync();
}

async function change({ sql, kind }: Translated, { connection }: Session): Promise<Executed> {
  if (kind === "truncate") {
    await connection.run(sql);
    return done("Statement executed successfully.");
  }
  if (kind !== "merge") {
    const result = await connection.run(sql);
    return changed(kind, new Map([[kind.toUpperCase(), result.rowsChanged]]));
  }
  const counts = new Map<string, number>();
  const actions = await connection.stream(`${sql} returning merge_action`);
  for (
    let chunk = await actions.fetchChunk();
    chunk !== null && chunk.rowCount > 0;
    chunk = await actions.fetchChunk()
  ) {
    for (const action of chunk.getColumnValues(0)) counts.set(String(action), (counts.get(String(action)) ?? 0) + 1);
  }
  return changed(kind, counts);
}

/** How many rows were changed, in the columns that Snowflake counts them in. */
function changed(kind: string, counts: ReadonlyMap<string, number>): Executed {
  const words = { INSERT: "inserted", UPDATE: "updated", DELETE: "deleted" };
  const counted = Object.entries(words).filter(([action]) => kind === "merge" || kind.toUpperCase() === action);
  const columns = counted.map(([, word]) =>
    fullRowType({ name: `number of rows ${word}`, type: "fixed", precision: 19, scale: 0 }),
  );
  const row = counted.map(([action]) => String(counts.get(action) ?? 0));
  const statementType = types[kind as keyof typeof types] ?? types.other;
  return { result: smallResult(columns, [row]), statementType };
}

function done(words: string): Executed {
  return { result: smallResult([textColumn("status")], [[words]]), statementType: types.ddl };
}
