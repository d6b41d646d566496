/** A Postgres server, through a pool of connections. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { Column } from "../../warehouse.ts";
import type { AppendColumn, Database, PageQuery, Row, Session, SessionOptions } from "../dialect.ts";
import { quote } from "../names.ts";
import { pagesBySeq } from "../pages.ts";
import { enclose } from "../statement.ts";
import { postgresDialect, postgresType } from "./dialect.ts";
import { warehouseError } from "./errors.ts";

export interface PostgresOptions {
  readonly server: pg.ClientConfig;
  readonly statementTimeoutMs: number;
}

/** What the text of values depends on is the same in every session, whatever server or role have set. */
const pinned = `set time zone 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres';
  set extra_float_digits = 1; set bytea_output = 'hex'; set standard_conforming_strings = on`;

/** What plans are faster with, unless the connection's own options say otherwise. */
const faster = { jit: "off", work_mem: "64MB" };

const streamRows = 5000;

export class PostgresDatabase implements Database {
  readonly dialect = postgresDialect;
  readonly shared = true;
  readonly #pool: pg.Pool;
  readonly #settings: string;
  readonly #pinned = new WeakMap<pg.PoolClient, number>();
  #closed: Promise<void> | undefined;

  constructor({ server, statementTimeoutMs }: PostgresOptions) {
    this.#settings = `${pinned}; ${fasterThan(optionsOf(server))}`;
    this.#pool = new pg.Pool({
      ...server,
      application_name: "sluice",
      statement_timeout: statementTimeoutMs,
      connectionTimeoutMillis: 15_000,
      max: 4,
      allowExitOnIdle: true,
    });
    // An idle connection that breaks is replaced by the pool; whoever needs one next is told if that fails.
    this.#pool.on("error", () => undefined);
    // One that breaks between two statements is met by the second. Unheard, the event would end the process.
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  async session<T>(work: (session: Session) => Promise<T>, options: SessionOptions = {}): Promise<T> {
    if (options.readOnly === true) return await this.#transact(work, "begin transaction read only", options);
    return await this.#connected(async (client) => await work(new PostgresSession(client)), options);
  }

  async transaction<T>(work: (session: Session) => Promise<T>, options: SessionOptions = {}): Promise<T> {
    return await this.#transact(work, "begin", options);
  }

  async *stream(sql: string, { signal }: SessionOptions = {}): AsyncIterable<readonly Row[]> {
    signal?.throwIfAborted();
    const client = await this.#connect();
    const cancel = (): void => void this.#cancel(client);
    signal?.addEventListener("abort", cancel);
    let failure: Error | undefined;
    try {
      const session = new PostgresSession(client);
      await session.execute("begin transaction read only");
      await session.execute(`declare streamed no scroll cursor for ${sql}`);
      for (;;) {
        const rows = await session.query(`fetch ${streamRows} from streamed`);
        if (rows.length === 0) break;
        yield rows;
      }
    } catch (error) {
      failure = warehouseError(error);
      signal?.throwIfAborted();
      throw failure;
    } finally {
      signal?.removeEventListener("abort", cancel);
      await endTransaction(client, failure);
    }
  }

  pages(query: PageQuery, signal?: AbortSignal): AsyncIterable<string> {
    return pagesBySeq(this, query, signal);
  }

  hold(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    await this.#closed;
  }

  async #transact<T>(work: (session: Session) => Promise<T>, begin: string, options: SessionOptions): Promise<T> {
    return await this.#connected(async (client) => {
      const session = new PostgresSession(client);
      await session.execute(begin);
      try {
        const result = await work(session);
        await session.execute("commit");
        return result;
      } catch (error) {
        // On a broken connection the server has rolled back already; the first error is the one to tell.
        await client.query("rollback").catch(() => undefined);
        throw error;
      }
    }, options);
  }

  async #connected<T>(work: (client: pg.PoolClient) => Promise<T>, { signal }: SessionOptions): Promise<T> {
    signal?.throwIfAborted();
    const client = await this.#connect();
    const cancel = (): void => void this.#cancel(client);
    signal?.addEventListener("abort", cancel);
    let broken = false;
    try {
      return await work(client);
    } catch (error) {
      const told = warehouseError(error);
      broken = told.code === "unreachable";
      signal?.throwIfAborted();
      throw told;
    } finally {
      signal?.removeEventListener("abort", cancel);
      // A connection that was cancelled may still have the cancellation coming: it is not used again.
      client.release(broken || signal?.aborted === true);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      if (!this.#pinned.has(client)) await this.#pin(client);
      return client;
    } catch (error) {
      // One that is not given back would be waited for by close, for ever.
      client?.release(true);
      throw warehouseError(error);
    }
  }

  async #pin(client: pg.PoolClient): Promise<void> {
    await client.query(this.#settings);
    const { rows } = await client.query<{ pid: number }>("select pg_catalog.pg_backend_pid() as pid");
    this.#pinned.set(client, rows[0]?.pid ?? 0);
  }

  /** Asks the server to end what a connection is doing. If that fails, the statement's timeout ends it. */
  async #cancel(client: pg.PoolClient): Promise<void> {
    await this.#pool
      .query("select pg_catalog.pg_cancel_backend($1)", [this.#pinned.get(client)])
      .catch(() => undefined);
  }
}

/** The options that a connection asks the server for, in its address or, as every program does, in the environment. */
function optionsOf({ connectionString }: pg.ClientConfig): string {
  const given = connectionString === undefined ? null : new URL(connectionString).searchParams.get("options");
  return given ?? process.env["PGOPTIONS"] ?? "";
}

function fasterThan(options: string): string {
  const unsaid = Object.entries(faster).filter(([name]) => !new RegExp(`\\b${name}\\s*=`).test(options));
  return unsaid.map(([name, value]) => `set ${name} = '${value}'`).join("; ");
}

async function endTransaction(client: pg.PoolClient, failure: Error | undefined): Promise<void> {
  const ended =
    failure === undefined &&
    (await client.query("rollback").then(
      () => true,
      () => false,
    ));
  client.release(!ended);
}

/** Every value as the server's own text. */
const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string | null) => value };

/** Rows as COPY reads them. */
async function* copyTexts(pages: AsyncIterable<readonly Row[]>): AsyncIterable<Buffer> {
  for await (const rows of pages) if (rows.length > 0) yield Buffer.from(rows.map(copyLine).join(""));
}

function copyLine(row: Row): string {
  return `${row.map((value) => (value === null ? "\\N" : copyText(value))).join("\t")}\n`;
}

const copyEscapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function copyText(value: string): string {
  return /[\\\t\n\r]/.test(value) ? value.replaceAll(/[\\\t\n\r]/g, (letter) => copyEscapes[letter] ?? "") : value;
}

class PostgresSession implements Session {
  readonly #client: pg.PoolClient;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  async query(sql: string): Promise<readonly Row[]> {
    return (await this.#run<(string | null)[]>(sql)).rows;
  }

  async execute(sql: string): Promise<number> {
    return (await this.#run<(string | null)[]>(sql)).rowCount ?? 0;
  }

  async append(table: string, columns: readonly AppendColumn[], pages: AsyncIterable<readonly Row[]>): Promise<void> {
    const names = columns.map(({ name }) => quote(name)).join(", ");
    try {
      await pipeline(
        Readable.from(copyTexts(pages)),
        this.#client.query(copyFrom(`copy ${table} (${names}) from stdin`)),
      );
    } catch (error) {
      throw warehouseError(error);
    }
  }

  async describe(sql: string): Promise<readonly Column[]> {
    const { fields } = await this.#run(`select * from ${enclose(sql, postgresDialect.sqlText)} as described limit 0`);
    if (fields.length === 0) return [];
    const wanted = fields.map(
      ({ dataTypeID, dataTypeModifier }, index) => `(${index}, ${dataTypeID}, ${dataTypeModifier})`,
    );
    const types = await this
      .query(`select pg_catalog.format_type(t.oid, null), t.typcategory, pg_catalog.format_type(t.oid, w.modifier)
      from (values ${wanted.join(", ")}) as w (place, type, modifier)
      join pg_catalog.pg_type t on t.oid = w.type::oid order by w.place`);
    return fields.map(({ name }, index) => {
      const [type, category, native] = types[index] ?? [];
      return { name, type: postgresType(type ?? "", category ?? ""), native: native ?? "" };
    });
  }

  /** By the extended protocol, which refuses more than one statement. */
  async #run<R extends unknown[] = unknown[]>(text: string, values?: unknown[]): Promise<pg.QueryArrayResult<R>> {
    try {
      const query: pg.QueryArrayConfig & { queryMode: "extended" } = {
        text,
        rowMode: "array",
        types: asText,
        queryMode: "extended",
      };
      return await this.#client.query<R>(values === undefined ? query : { ...query, values });
    } catch (error) {
      throw warehouseError(error);
    }
  }
}
