/** Runs one statement of a session and says what Snowflake would answer. */
import { boundRow, boundRows, fillBinds } from "./binds.ts";
import { describeTable, show } from "./catalog.ts";
import { copyInto } from "./copy.ts";
import { define } from "./definitions.ts";
import { changed, done, type Executed, type Execution, requireWritable, types, type Workplace } from "./executed.ts";
import { unknownToSandbox } from "./failure.ts";
import { makeResultTable, resultTableName } from "./result-scan.ts";
import { describe, type ResultSet, runQuery, smallResult } from "./results.ts";
import { use } from "./session-statements.ts";
import type { Session } from "./session.ts";
import { nameParts } from "./sql/names.ts";
import { singleStatement, withoutComments } from "./sql/text.ts";
import { type Binds, type Translated, translate, type TranslationContext } from "./sql/translate.ts";
import { get, list, put, remove, textColumn } from "./stage-statements.ts";

const abortsTransaction = /^select\s+system\$abort_transaction\(\s*'?(-?\d+)'?\s*\)$/i;

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
        if (abortsTransaction.test(plain)) return await this.#abortTransaction(plain, session);
        return await this.#translated(sql, execution, session);
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
        return await define(sql, plain, {
          place: this.#place,
          session,
          execution,
          translate: (text) => this.#translate(text, session),
        });
      case "COPY":
        return { result: await this.#copy(plain, execution, session), statementType: types.copy };
      case "BEGIN":
      case "START":
      case "COMMIT":
      case "ROLLBACK":
        return await this.#transaction(plain, session);
      case "USE":
        await use(plain, session, () => this.#schemas(session));
        return done("Statement executed successfully.");
      case "SHOW":
        return { result: await show(plain, session, this.#place.sessions.all()), statementType: types.other };
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
    for (const id of scanned) await makeResultTable(resultTableName(id), this.#place.queries().answer(id), session);
    if (translated.target === null) {
      const result = execution.describeOnly
        ? smallResult(await describe(connection, translated.sql), [])
        : await runQuery(connection, translated.sql, this.#place.size);
      return { result, statementType: types.select };
    }
    if (execution.describeOnly) return { ...changed(translated.kind, new Map()), result: smallResult([], []) };
    requireWritable(this.#place, translated.target.name, translated.target.temporary);
    if (row === null) await fillBinds(table, boundRows(execution.bindings), session);
    try {
      return await session.write(translated.target.name, execution.signal, () => change(translated, session));
    } finally {
      if (row === null) await connection.run(`drop table if exists temp.${table}`).catch(() => undefined);
    }
  }

  async #copy(sql: string, { signal }: Execution, session: Session): Promise<ResultSet> {
    const { stages, readOnly, loaded } = this.#place;
    const translateQuery = (query: string): string => this.#translate(query, session).sql;
    return await copyInto(sql, { session, stages, readOnly, signal, loaded, translate: translateQuery });
  }

  async #transaction(sql: string, session: Session): Promise<Executed> {
    const begun = /^(?:begin|start)(?:\s+(?:transaction|work))?(?:\s+name\s+(\w+))?$/i.exec(sql);
    if (begun !== null) session.begin(begun[1]?.toUpperCase());
    else if (/^commit(\s+work)?$/i.test(sql)) await session.commit();
    else if (/^rollback(\s+work)?$/i.test(sql)) await session.rollback();
    else throw unknownToSandbox(`${sql.split(/\s+/, 2).join(" ").toUpperCase()}: scripts are not run`);
    return done("Statement executed successfully.");
  }

  /** Ends a transaction of any of the user's sessions, and the statement that runs in it. */
  async #abortTransaction(sql: string, session: Session): Promise<Executed> {
    const { user } = session;
    const [, id = ""] = abortsTransaction.exec(sql) ?? [];
    const other = this.#place.sessions
      .all()
      .find((one) => one !== session && one.user === user && String(one.transaction?.id) === id);
    if (other !== undefined) {
      this.#place.queries().abortAll(other);
      await other.inTurn(() => other.rollback());
    }
    const words = other === undefined ? `Transaction ${id} not found.` : "Aborted transaction id.";
    return { result: smallResult([textColumn(sql)], [[words]]), statementType: types.select };
  }

  /** For statements that take no binds. */
  #translate(sql: string, session: Session): Translated {
    return translate(sql, this.#context(session, { kind: "none" }));
  }

  async #schemas(session: Session): Promise<ReadonlySet<string>> {
    const sql = "select schema_name from snowflake.main.information_schema_schemata";
    const rows = (await session.connection.runAndReadAll(sql)).getRows();
    return new Set(rows.map(([name]) => String(name)));
  }

  #context(session: Session, binds: Binds, scanned = new Set<string>()): TranslationContext {
    const { engine, stages } = this.#place;
    const { user, id: sessionId, lastQueryId, transaction } = session;
    return {
      ...session.place,
      user,
      sessionId,
      lastQueryId,
      transactionId: transaction?.id ?? null,
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
