/** A Snowflake account, through the driver's process. */
import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Column } from "../../warehouse.ts";
import { WarehouseError } from "../../errors.ts";
import type { AppendColumn, Database, PageQuery, QueryTag, Row, Session, SessionOptions } from "../dialect.ts";
import { begin, currentTransaction, endAbandoned, transactionEnded } from "./transactions.ts";
import { snowflakeDialect, toColumn } from "./dialect.ts";
import { Driver } from "./driver.ts";
import type { Answer, LoginOptions, Statement } from "./protocol.ts";
import { clear, isTimeToLook, newPlace, removeLeftovers } from "./stage.ts";
import { unload, UnloadedPlan } from "./unloaded.ts";
import { parquetOf } from "./upload.ts";

export interface SnowflakeOptions {
  readonly login: LoginOptions;
  readonly statementTimeoutSeconds: number;
  readonly driverMemoryMb: number;
  /** A plan with more rows is unloaded as Parquet and read from there. */
  readonly unloadRows: number;
}

/**
 * What answers depend on is the same in every session, whatever account, user or role have set. Without `autocommit` a
 * statement whose transaction another worker has ended commits nothing by itself.
 */
function pinned(statementTimeoutSeconds: number): string {
  return `alter session set timezone = 'UTC', timestamp_type_mapping = 'TIMESTAMP_NTZ', week_start = 1,
    binary_output_format = 'HEX', strict_json_output = true, error_on_nondeterministic_merge = true,
    abort_detached_query = false, autocommit = false, multi_statement_count = 1, statement_timeout_in_seconds = ${statementTimeoutSeconds}`;
}

const streamRows = 5000;
/** Up to so many rows go up in one statement's binds; more go up as Parquet. */
const bindRows = 1000;
/** Who closes does not wait longer for what others left. */
const tidyMs = 5000;

export class SnowflakeDatabase implements Database {
  readonly dialect = snowflakeDialect;
  readonly shared = true;
  readonly #options: SnowflakeOptions;
  readonly #driver: Driver;
  #idle: number[] = [];
  #inUse = 0;

  constructor(options: SnowflakeOptions) {
    this.#options = options;
    this.#driver = new Driver({ memoryMb: options.driverMemoryMb });
  }

  async session<T>(work: (session: SnowflakeSession) => Promise<T>, options: SessionOptions = {}): Promise<T> {
    const session = await this.#take(options);
    try {
      const result = await work(session);
      this.#giveBack(session);
      return result;
    } catch (error) {
      this.#discard(session);
      throw error;
    }
  }

  async transaction<T>(work: (session: Session) => Promise<T>, options: SessionOptions = {}): Promise<T> {
    return await this.session(async (session) => {
      const { owner } = options;
      if (owner !== undefined) await endAbandoned(owner, session);
      await session.execute(begin(owner));
      try {
        const id = owner && (await currentTransaction(session));
        const result = await work(session);
        // One that was ended meanwhile is followed by another of its own accord: see `autocommit` above.
        if (owner && (await currentTransaction(session)) !== id) throw transactionEnded();
        await session.execute("commit");
        return result;
      } catch (error) {
        // On a broken session Snowflake rolls back by itself; the first error is the one to tell.
        await session.settled("rollback").catch(() => undefined);
        throw error;
      }
    }, options);
  }

  async *stream(sql: string, options: SessionOptions = {}, pageRows = streamRows): AsyncIterable<readonly Row[]> {
    yield* this.#reading(options, (session) => session.pages(sql, pageRows));
  }

  async *#reading<Page>(
    options: SessionOptions,
    read: (session: SnowflakeSession) => AsyncIterable<Page>,
  ): AsyncIterable<Page> {
    const session = await this.#take(options);
    let ended = false;
    try {
      yield* read(session);
      ended = true;
    } finally {
      if (ended) this.#giveBack(session);
      else this.#discard(session);
    }
  }

  async export(sql: string, folder: string, options?: SessionOptions): Promise<readonly string[] | null> {
    const into = await mkdtemp(join(folder, "unloaded-"));
    const done = await this.#unload(async (session) => {
      await unload(sql, into, session);
      return true;
    }, options);
    await this.#rest();
    return done === null ? null : (await readdir(into)).map((file) => join(into, file));
  }

  async *pages(query: PageQuery, signal?: AbortSignal): AsyncIterable<string> {
    const { after, until, pageRows, tag } = query;
    if (until <= after) return;
    for (const together of until - after > this.#options.unloadRows ? rowsInOneUnloaded : []) {
      const select = groups(query, together);
      const unloaded = await this.#unload((session) => UnloadedPlan.from(select, session), { signal, tag });
      if (unloaded === null) continue;
      await this.#rest();
      // A group of rows is read as one row is: joined by commas, either makes a page.
      const asGroups = { after: 0, until: Math.ceil((until - after) / together) };
      yield* unloaded.pages({ ...asGroups, pageRows: Math.ceil(pageRows / together) }, signal);
      return;
    }
    yield* this.#reading({ signal, tag }, (session) => pagesOf(query, session));
  }

  hold(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    await this.#tidy();
    await this.#closeIdle();
    await this.#driver.close();
  }

  /** When all is done, and a session is there anyway. Nothing depends on it. */
  async #tidy(): Promise<void> {
    const { login, statementTimeoutSeconds } = this.#options;
    if (this.#idle.length === 0 || !isTimeToLook(login)) return;
    const look = (session: SnowflakeSession): Promise<void> => removeLeftovers(session, statementTimeoutSeconds);
    await this.session(look, { signal: AbortSignal.timeout(tidyMs) }).catch(() => undefined);
  }

  /** While files are read the driver has nothing to do: its memory is given back, unless another session needs it. */
  async #rest(): Promise<void> {
    if (this.#inUse > 0) return;
    await this.#closeIdle();
    if (this.#inUse === 0) await this.#driver.close();
  }

  async #closeIdle(): Promise<void> {
    const idle = this.#idle;
    this.#idle = [];
    await Promise.allSettled(idle.map((connection) => this.#driver.call({ call: "close", connection })));
  }

  /** An idle session may have ended at Snowflake meanwhile: it is then opened anew at its first statement. */
  async #take(options: SessionOptions): Promise<SnowflakeSession> {
    options.signal?.throwIfAborted();
    const open = (): Promise<number> => this.#open(options.signal);
    const idle = this.#idle.pop();
    this.#inUse += 1;
    if (idle !== undefined) return new SnowflakeSession(this.#driver, idle, options, open);
    try {
      return new SnowflakeSession(this.#driver, await open(), options);
    } catch (error) {
      this.#inUse -= 1;
      throw error;
    }
  }

  #giveBack({ connection }: SnowflakeSession): void {
    this.#inUse -= 1;
    this.#idle.push(connection);
  }

  /** What went wrong in a session may have left it in any state. */
  #discard({ connection }: SnowflakeSession): void {
    this.#inUse -= 1;
    void this.#driver.call({ call: "close", connection }).catch(() => undefined);
  }

  async #open(signal: AbortSignal | undefined): Promise<number> {
    const { login, statementTimeoutSeconds } = this.#options;
    const answer = await this.#driver.call({ call: "open", login, first: [pinned(statementTimeoutSeconds)] }, signal);
    return expected(answer, "connection");
  }

  /** Null where the account does not let rows be unloaded: the driver brings them then, in more time and memory. */
  async #unload<T>(work: (session: SnowflakeSession) => Promise<T>, options: SessionOptions = {}): Promise<T | null> {
    const session = await this.#take(options);
    try {
      return await work(session);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof WarehouseError && (error.code === "sql_error" || error.code === "not_granted")) return null;
      throw error;
    } finally {
      // It may have begun a transaction by itself.
      this.#discard(session);
    }
  }
}

/** So many rows of a plan come as one value: the driver takes longer to hand over a row than to parse it. */
const rowsInOne = 250;
/** So many are joined for an unload: DuckDB holds two thousand values at a time. One by one where these are too large. */
const rowsInOneUnloaded = [10, 1] as const;
/** So many of these values cross over from the driver's process at a time. */
const valuesAtATime = 8;

/** Rows of a plan, so many joined to one, each by its number. */
function groups({ plan, change, after, until }: PageQuery, together: number): string {
  const rows = `from ${plan} where seq > ${after} and seq <= ${until}`;
  if (together === 1) return `select seq - ${after} as seq, ${change} as change ${rows}`;
  return `select floor((seq - ${after + 1}) / ${together}) + 1 as seq,
    listagg(${change}, ',') within group (order by seq) as change ${rows}
    group by floor((seq - ${after + 1}) / ${together}) order by min(seq)`;
}

/** A plan's pages, made in Snowflake, or here where rows are so large that a few are more than one value can be. */
async function* pagesOf(
  { plan, change, after, until, pageRows }: PageQuery,
  session: Pick<SnowflakeSession, "pages">,
): AsyncIterable<string> {
  const rows = `from ${plan} where seq > ${after} and seq <= ${until}`;
  const size = Math.min(pageRows, rowsInOne);
  const joined = `select '[' || listagg(${change}, ',') within group (order by seq) || ']' ${rows}
    group by floor((seq - ${after + 1}) / ${size}) order by min(seq)`;
  let begun = false;
  try {
    for await (const values of session.pages(joined, valuesAtATime)) {
      begun = true;
      for (const [text] of values) yield text ?? "[]";
    }
    return;
  } catch (error) {
    if (begun || !(error instanceof WarehouseError) || error.code !== "sql_error") throw error;
  }
  const single = `select ${change} ${rows} order by seq`;
  for await (const page of session.pages(single, pageRows)) yield `[${page.map(([text]) => text).join(",")}]`;
}

export class SnowflakeSession implements Session {
  readonly #driver: Driver;
  readonly #signal: AbortSignal | undefined;
  readonly #tag: QueryTag | undefined;
  #connection: number;
  #reopen: (() => Promise<number>) | undefined;

  /** With `reopen`, a connection that turns out to have ended is replaced, before anything was done on it. */
  constructor(driver: Driver, connection: number, { signal, tag }: SessionOptions, reopen?: () => Promise<number>) {
    this.#driver = driver;
    this.#connection = connection;
    this.#signal = signal;
    this.#tag = tag;
    this.#reopen = reopen;
  }

  get connection(): number {
    return this.#connection;
  }

  async query(sql: string): Promise<readonly Row[]> {
    return expected(await this.#run({ sql, answer: "rows" }), "rows");
  }

  async execute(sql: string): Promise<number> {
    return expected(await this.#run({ sql, answer: "count", long: isLong(sql) }), "count");
  }

  /** Executes also when the session's signal was aborted. */
  async settled(sql: string): Promise<void> {
    await this.#driver.call({ call: "run", connection: this.#connection, statement: { sql, answer: "count" } });
  }

  async append(table: string, columns: readonly AppendColumn[], pages: AsyncIterable<readonly Row[]>): Promise<void> {
    await using parquet = await parquetOf(columns, pages, bindRows);
    if ("rows" in parquet) await this.#insert(table, columns, parquet.rows);
    else await this.#load(table, columns, parquet.file);
  }

  async describe(sql: string): Promise<readonly Column[]> {
    return expected(await this.#run({ sql, answer: "columns" }), "columns").map(toColumn);
  }

  async *pages(sql: string, pageRows: number): AsyncIterable<readonly Row[]> {
    const reading = expected(await this.#run({ sql, answer: "pages", pageRows }), "reading");
    const ask = (): Promise<Answer> => {
      const answer = this.#driver.call({ call: "next", reading }, this.#signal);
      // Its failure is told when its turn comes.
      answer.catch(() => undefined);
      return answer;
    };
    let ended = false;
    try {
      for (let next = ask(); ;) {
        const page = expected(await next, "page");
        ended = page === null;
        if (page === null) return;
        // The driver fetches the next page while this one is looked at.
        next = ask();
        yield page;
      }
    } finally {
      if (!ended) this.#driver.stop(reading);
    }
  }

  async #insert(table: string, columns: readonly AppendColumn[], rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const names = columns.map(({ name }) => name).join(", ");
    const marks = columns.map(() => "?").join(", ");
    await this.#run({ sql: `insert into ${table} (${names}) values (${marks})`, binds: rows, answer: "count" });
  }

  async #load(table: string, columns: readonly AppendColumn[], file: string): Promise<void> {
    const stage = newPlace();
    const names = columns.map(({ name }) => name).join(", ");
    const values = columns.map(({ name, type }) => `$1:${name}::${type === "text" ? "varchar" : type}`).join(", ");
    try {
      await this.query(`put 'file://${file}' ${stage}/ auto_compress = false source_compression = parquet`);
      await this.execute(`copy into ${table} (${names}) from (select ${values} from ${stage}/)
        file_format = (type = parquet) on_error = abort_statement`);
    } finally {
      await clear(stage, this);
    }
  }

  async #run(statement: Statement): Promise<Answer> {
    const reopen = this.#reopen;
    this.#reopen = undefined;
    try {
      return await this.#submit(statement);
    } catch (error) {
      if (reopen === undefined || !(error instanceof WarehouseError) || error.code !== "session_ended") throw error;
      this.#connection = await reopen();
      return await this.#submit(statement);
    }
  }

  #submit(statement: Statement): Promise<Answer> {
    const tag = this.#tag === undefined ? undefined : JSON.stringify({ app: "sluice", ...this.#tag });
    return this.#driver.call(
      { call: "run", connection: this.#connection, statement: { ...statement, tag } },
      this.#signal,
    );
  }
}

/** Unloading may take long and is no part of a transaction: it goes on when the connection is cut. */
function isLong(sql: string): boolean {
  return /^\s*copy into @/i.test(sql);
}

function expected<Name extends string>(
  answer: Answer,
  name: Name,
): Extract<Answer, { readonly [N in Name]: unknown }>[Name] {
  if (name in answer) return (answer as Extract<Answer, { readonly [N in Name]: unknown }>)[name];
  throw new WarehouseError("unreachable", `The driver's process gave no ${name}.`);
}
