/**
 * A DuckDB file. One process at a time can have it open, so it is opened on first use and closed again as soon as
 * nothing has used it for a moment: dbt can build its models between runs.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { messageOf, WarehouseError } from "../../errors.ts";
import type { Column } from "../../warehouse.ts";
import type { AppendColumn, Database, PageQuery, Row, Session, SessionOptions } from "../dialect.ts";
import { parseName } from "../names.ts";
import { pagesBySeq } from "../pages.ts";
import { duckdbDialect, duckdbType } from "./dialect.ts";
import { lockedError, timeoutError, warehouseError } from "./errors.ts";

export interface DuckdbOptions {
  readonly path: string;
  readonly memoryLimit: string;
  readonly threads: number | undefined;
  /** How long to wait for another process to close the file. */
  readonly lockWaitMs: number;
  /** How long one statement may run. Default: as long as it takes. */
  readonly statementTimeoutMs?: number | undefined;
  /** Nothing is written to the file, and other processes may read it meanwhile. Default: it may be written. */
  readonly readOnly?: boolean;
  /** Where it puts what does not fit in memory. Default: beside the file. */
  readonly spillFolder?: string;
  /** The only folder beside the database whose files SQL may read and write. Default: it may reach anything. */
  readonly onlyFolder?: string;
  /** Rows without an `order by` may come in any order, which takes less memory. Default: as they were written. */
  readonly anyOrder?: boolean;
}

const idleMs = 250;

export class DuckdbDatabase implements Database {
  readonly dialect = duckdbDialect;
  readonly shared = false;
  readonly #options: DuckdbOptions;
  #instance: Promise<DuckDBInstance> | undefined;
  #users = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: DuckdbOptions) {
    this.#options = options;
  }

  async session<T>(work: (session: Session) => Promise<T>, { signal }: SessionOptions = {}): Promise<T> {
    using connected = await this.#connected(signal);
    try {
      return await work(new DuckdbSession(connected.connection, this.#options.statementTimeoutMs));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  async transaction<T>(work: (session: Session) => Promise<T>, options?: SessionOptions): Promise<T> {
    return await this.session(async (session) => {
      await session.execute("begin transaction");
      try {
        const result = await work(session);
        await session.execute("commit");
        return result;
      } catch (error) {
        // Fails when DuckDB has ended the transaction itself; the first error is the one to tell.
        await session.execute("rollback").catch(() => undefined);
        throw error;
      }
    }, options);
  }

  async *stream(sql: string, { signal }: SessionOptions = {}): AsyncIterable<readonly Row[]> {
    using connected = await this.#connected(signal);
    try {
      const { statementTimeoutMs } = this.#options;
      const result = await timed(connected.connection, statementTimeoutMs, () => connected.connection.stream(sql));
      for await (const rows of result.yieldRows()) yield rows.map(asTexts);
    } catch (error) {
      signal?.throwIfAborted();
      throw warehouseError(error);
    }
  }

  async export(sql: string, folder: string, options?: SessionOptions): Promise<readonly string[]> {
    const file = join(folder, "exported.parquet");
    await this.session(
      (session) => session.execute(`copy (${sql}) to ${duckdbDialect.literal(file)} (format parquet)`),
      options,
    );
    return [file];
  }

  pages(query: PageQuery, signal?: AbortSignal): AsyncIterable<string> {
    return pagesBySeq(this, query, signal);
  }

  hold(): () => void {
    this.#users += 1;
    clearTimeout(this.#idle);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#users -= 1;
      if (this.#users === 0 && !this.#isInMemory()) this.#idle = setTimeout(() => void this.#shut(), idleMs).unref();
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#shut();
  }

  #isInMemory(): boolean {
    return this.#options.path === ":memory:";
  }

  async #shut(): Promise<void> {
    const instance = this.#instance;
    this.#instance = undefined;
    // An instance that could not be opened has told its users already.
    (await instance?.catch(() => undefined))?.closeSync();
  }

  /** A connection that keeps the database open, and is interrupted when the signal is aborted. */
  async #connected(signal: AbortSignal | undefined): Promise<Disposable & { connection: DuckDBConnection }> {
    signal?.throwIfAborted();
    const release = this.hold();
    try {
      const connection = await this.#connect();
      const interrupt = (): void => connection.interrupt();
      signal?.addEventListener("abort", interrupt);
      const close = (): void => {
        signal?.removeEventListener("abort", interrupt);
        connection.closeSync();
        release();
      };
      return { connection, [Symbol.dispose]: close };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #connect(): Promise<DuckDBConnection> {
    this.#instance ??= this.#open();
    const opening = this.#instance;
    try {
      const connection = await (await opening).connect();
      await connection.run("set TimeZone = 'UTC'");
      return connection;
    } catch (error) {
      if (this.#instance === opening) this.#instance = undefined;
      throw warehouseError(error);
    }
  }

  async #open(): Promise<DuckDBInstance> {
    const { path, memoryLimit, threads, lockWaitMs, readOnly = false, anyOrder = false } = this.#options;
    const { spillFolder = this.#isInMemory() ? undefined : `${path}.tmp` } = this.#options;
    const settings: Record<string, string> = { memory_limit: memoryLimit };
    if (threads !== undefined) settings["threads"] = String(threads);
    if (spillFolder !== undefined) settings["temp_directory"] = spillFolder;
    if (anyOrder) settings["preserve_insertion_order"] = "false";
    if (this.#isInMemory()) return await this.#confined(await DuckDBInstance.create(path, settings));
    if (readOnly) settings["access_mode"] = "READ_ONLY";
    for (const deadline = Date.now() + lockWaitMs; ; await sleep(100)) {
      try {
        return await this.#confined(await DuckDBInstance.fromCache(path, settings));
      } catch (error) {
        if (!/could not set lock/i.test(messageOf(error))) throw error;
        if (Date.now() >= deadline) throw lockedError(path, error);
      }
    }
  }

  /** Takes the file system and the network from SQL. It cannot be given back while the database is open. */
  async #confined(instance: DuckDBInstance): Promise<DuckDBInstance> {
    const { onlyFolder } = this.#options;
    if (onlyFolder === undefined) return instance;
    const connection = await instance.connect();
    const isOpen = async (): Promise<boolean> =>
      (await connection.runAndReadAll("select current_setting('enable_external_access')")).getRows()[0]?.[0] === true;
    try {
      if (!(await isOpen())) return instance;
      await connection.run(`set allowed_directories = [${duckdbDialect.literal(onlyFolder)}]`);
      await connection.run("set enable_external_access = false");
      return instance;
    } catch (error) {
      // Another user of the same database may have been faster.
      if (await isOpen()) throw error;
      return instance;
    } finally {
      connection.closeSync();
    }
  }
}

class DuckdbSession implements Session {
  readonly #connection: DuckDBConnection;
  readonly #timeoutMs: number | undefined;

  constructor(connection: DuckDBConnection, timeoutMs: number | undefined) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  async query(sql: string): Promise<readonly Row[]> {
    return await told(async () => {
      const result = await this.#timed(() => this.#connection.runAndReadAll(sql));
      return result.getRows().map(asTexts);
    });
  }

  async execute(sql: string): Promise<number> {
    return await told(async () => (await this.#timed(() => this.#connection.run(sql))).rowsChanged);
  }

  #timed<T>(statement: () => Promise<T>): Promise<T> {
    return timed(this.#connection, this.#timeoutMs, statement);
  }

  async append(table: string, columns: readonly AppendColumn[], pages: AsyncIterable<readonly Row[]>): Promise<void> {
    const [name = "", schema, catalog] = parseName(table, (part) => part).toReversed();
    await told(async () => {
      const appender = await this.#connection.createAppender(name, schema, catalog);
      for await (const rows of pages) for (const row of rows) appendRow(appender, columns, row);
      appender.closeSync();
    });
  }

  async describe(sql: string): Promise<readonly Column[]> {
    return await told(async () => {
      const statements = await this.#connection.extractStatements(sql);
      if (statements.count !== 1) {
        throw new WarehouseError("not_one_statement", `The SQL is ${statements.count} statements.`, {
          hint: "Write one SELECT statement.",
        });
      }
      const statement = await statements.prepare(0);
      return Array.from({ length: statement.columnCount }, (_, index) => {
        const type = statement.columnType(index);
        const native = type.alias ?? type.toString();
        return { name: statement.columnName(index), type: duckdbType(native), native };
      });
    });
  }
}

/** Interrupts a statement that takes too long. */
async function timed<T>(
  connection: DuckDBConnection,
  timeoutMs: number | undefined,
  statement: () => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return await statement();
  let isLate = false;
  // Interrupted again and again: before the statement has begun, DuckDB forgets that it was.
  const interrupt = (): void => {
    isLate = true;
    connection.interrupt();
    timer = setTimeout(interrupt, 50);
  };
  let timer = setTimeout(interrupt, timeoutMs);
  try {
    return await statement();
  } catch (error) {
    throw isLate ? timeoutError(timeoutMs, error) : error;
  } finally {
    clearTimeout(timer);
  }
}

function appendRow(appender: DuckDBAppender, columns: readonly AppendColumn[], row: Row): void {
  columns.forEach(({ type }, index) => {
    const value = row[index];
    if (value == null) appender.appendNull();
    else if (type === "bigint") appender.appendBigInt(BigInt(value));
    else appender.appendVarchar(value);
  });
  appender.endRow();
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw warehouseError(error);
  }
}

function asTexts(row: readonly DuckDBValue[]): Row {
  return row.map((value) => (value === null ? null : String(value)));
}
