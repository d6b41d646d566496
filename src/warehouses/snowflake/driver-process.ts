/**
 * The process in which the Snowflake driver runs. Its settings (how JSON is parsed, how NULL is spelled) are global to
 * where it is loaded, its row stream starves timers, and how much it holds in memory is the server's choice: here all
 * of that concerns one source, and the service stays free. A thread would not do: one that is given a chunk larger than
 * its memory takes the whole process along.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Readable } from "node:stream";
import type { Binds, Column, Connection, RowStatement } from "snowflake-sdk";
import snowflake from "snowflake-sdk";
import type { Row } from "../dialect.ts";
import type {
  Answer,
  Call,
  Failure,
  FromProcess,
  LoginOptions,
  NativeColumn,
  Statement,
  ToProcess,
} from "./protocol.ts";
import { RowPages } from "./row-pages.ts";

// By default a cell that is not JSON is run as JavaScript, and logs go to standard output.
const asItIs = (text: string): string => text;
snowflake.configure({
  logLevel: "OFF",
  additionalLogToConsole: false,
  jsonColumnVariantParser: asItIs,
  xmlColumnVariantParser: asItIs,
});

const connections = new Map<number, Connection>();
const running = new Map<number, RowStatement>();
const readings = new Map<number, RowPages>();

process.on("message", (message: ToProcess) => {
  answer(message).then(
    (answered) => tell({ id: message.id, answer: answered }),
    (error: unknown) => tell({ id: message.id, failure: failureOf(error) }),
  );
});
// It ends with the service and not before: a run that is being stopped still has to commit.
process.on("disconnect", () => void leave());
process.on("exit", () => rmSync(tmpdir(), { recursive: true, force: true }));
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

/** Snowflake would go on with what it was asked, and keep what is locked: a service that was killed cannot say so. */
async function leave(): Promise<void> {
  for (const statement of running.values()) statement.cancel(() => undefined);
  const closing = Promise.allSettled([...connections.keys()].map(close));
  await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, leaveMs))]);
  process.exit();
}

/** A Snowflake that cannot be reached keeps nobody waiting. */
const leaveMs = 5000;

function tell(message: FromProcess): void {
  // Without a channel there is nobody left to tell.
  if (process.connected) process.send?.(message);
}

async function answer(message: ToProcess): Promise<Answer> {
  switch (message.call) {
    case "open":
      return { connection: await open(message) };
    case "run":
      return await run(message.id, connectionOf(message.connection), message.statement);
    case "next":
      return await nextPage(message.reading);
    case "stop":
      stop(message.of);
      return { count: 0 };
    case "close":
      await close(message.connection);
      return { count: 0 };
  }
}

async function open({ id, login, first }: Extract<Call, { call: "open" }> & { id: number }): Promise<number> {
  const connection = snowflake.createConnection(withSafeDefaults(login));
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
  connections.set(id, connection);
  for (const sql of first) await execute(connection, { sql, answer: "count" }, id);
  return id;
}

/**
 * NULL stays null, and numbers keep every digit. Binds go with their statement: the driver would make a stage for many,
 * which wants a grant more and ends the transaction that they are part of.
 */
function withSafeDefaults(login: LoginOptions): LoginOptions {
  return {
    ...login,
    rowMode: "array",
    streamResult: true,
    rowStreamHighWaterMark: 1000,
    fetchAsString: ["Number", "Boolean", "Date", "JSON", "Buffer"] as never,
    representNullAsStringNull: false,
    clientSessionKeepAlive: true,
    arrayBindingThreshold: Number.MAX_SAFE_INTEGER,
  };
}

async function run(id: number, connection: Connection, statement: Statement): Promise<Answer> {
  const done = statement.long ? await executeLong(connection, statement, id) : await execute(connection, statement, id);
  switch (statement.answer) {
    case "count":
      return { count: done.getNumUpdatedRows() ?? 0 };
    case "columns":
      return { columns: (done.getColumns() ?? []).map(nativeColumn) };
    case "rows": {
      const rows: Row[] = [];
      for (const pages = read(done); ;) {
        const page = await pages.next();
        if (page === null) return { rows };
        rows.push(...page);
      }
    }
    case "pages":
      readings.set(id, read(done, statement.pageRows));
      return { reading: id };
  }
}

function read(statement: RowStatement, pageRows = 1000): RowPages {
  return new RowPages(statement.streamRows() as Readable, pageRows);
}

function execute(connection: Connection, statement: Statement, id: number): Promise<RowStatement> {
  return new Promise((resolve, reject) => {
    const submitted = connection.execute({
      ...options(statement),
      complete: (error, done) => {
        running.delete(id);
        if (error) reject(error);
        else resolve(done);
      },
    });
    running.set(id, submitted);
  });
}

/** Submits, then asks for the answer by the query's id, again when the connection was cut meanwhile. */
async function executeLong(connection: Connection, statement: Statement, id: number): Promise<RowStatement> {
  const submitted = await new Promise<RowStatement>((resolve, reject) => {
    connection.execute({
      ...options(statement),
      asyncExec: true,
      complete: (error, done) => (error ? reject(error) : resolve(done)),
    });
  });
  running.set(id, submitted);
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        const queryId = submitted.getQueryId();
        await untilItEnds(queryId, connection);
        return await connection.getResultsFromQueryId({
          queryId,
          sqlText: "",
          streamResult: true,
        });
      } catch (error) {
        if (!isCut(error) || tries === 5) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
      }
    }
  } finally {
    running.delete(id);
  }
}

/** Looks often at first. The driver itself would look after one, two and three and a half seconds, and wait as long for nothing. */
async function untilItEnds(queryId: string, connection: Connection): Promise<void> {
  for (let waitMs = 50; ; waitMs = Math.min(1000, waitMs * 1.25)) {
    const status = (await connection.getQueryStatus(queryId)) as
      | Parameters<Connection["isStillRunning"]>[0]
      | "NO_DATA";
    // Of a query that Snowflake does not know, the driver says so.
    if (status === "NO_DATA" || !connection.isStillRunning(status)) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

function options({ sql, binds, tag, answer: wanted }: Statement): Parameters<Connection["execute"]>[0] {
  return {
    sqlText: sql,
    ...(binds ? { binds: binds as Binds } : {}),
    ...(tag === undefined ? {} : { parameters: { QUERY_TAG: tag } }),
    ...(wanted === "columns" ? { describeOnly: true } : {}),
    streamResult: true,
  };
}

function isCut(error: unknown): boolean {
  return /^(40100[12]|ECONN|ETIMEDOUT|EPIPE)/.test(failureOf(error).code);
}

async function nextPage(id: number): Promise<Answer> {
  const page = (await readings.get(id)?.next()) ?? null;
  if (page === null) readings.delete(id);
  return { page };
}

function stop(id: number): void {
  running.get(id)?.cancel(() => undefined);
  readings.get(id)?.end();
  readings.delete(id);
}

async function close(id: number): Promise<void> {
  const connection = connections.get(id);
  connections.delete(id);
  await new Promise<void>((resolve) => {
    if (connection === undefined) resolve();
    // Whether the server has heard of it or not, the connection is not used again.
    else connection.destroy(() => resolve());
  });
}

function connectionOf(id: number): Connection {
  const connection = connections.get(id);
  // The number by which the driver itself says so: a process that was lost took its connections along.
  if (connection === undefined) throw Object.assign(new Error("The connection is closed."), { code: "407002" });
  return connection;
}

function nativeColumn(column: Column): NativeColumn {
  return {
    name: column.getName(),
    type: column.getType().toLowerCase(),
    precision: column.getPrecision() ?? 0,
    scale: column.getScale() ?? 0,
  };
}

function failureOf(error: unknown): Failure {
  const { message, code, sqlState } = error as { message?: string; code?: string | number; sqlState?: string };
  return { message: message ?? String(error), code: String(code ?? ""), sqlState: sqlState ?? "" };
}
