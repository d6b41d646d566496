/** DuckDB under the sandbox: the data, attached as one database, and what Snowflake has beside it in another one. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { preparation } from "./sql/macros.ts";
import { database, literal } from "./sql/names.ts";

export interface EngineOptions {
  /** A DuckDB file; in memory when it is not given. */
  readonly file?: string | undefined;
  readonly memoryLimit: string;
  /** For what does not fit into memory. */
  readonly spillFolder: string;
}

export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #owner: DuckDBConnection;
  #lastTransaction = 0;
  readonly writing = new WriteLock();
  readonly changes = new Changes();

  private constructor(instance: DuckDBInstance, owner: DuckDBConnection) {
    this.#instance = instance;
    this.#owner = owner;
  }

  static async open({ file, memoryLimit, spillFolder }: EngineOptions): Promise<Engine> {
    const instance = await DuckDBInstance.create(":memory:", {
      memory_limit: memoryLimit,
      temp_directory: spillFolder,
      default_null_order: "nulls_last_on_asc_first_on_desc",
    });
    const owner = await instance.connect();
    await owner.run(`attach ${literal(file ?? ":memory:")} as "${database}"`);
    await owner.run("attach ':memory:' as snowflake");
    await owner.run("use snowflake");
    for (const statement of preparation) await owner.run(statement);
    await prepare(owner);
    return new Engine(instance, owner);
  }

  /** A connection of its own, in UTC, that finds the data and Snowflake's functions. */
  async connect(): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect();
    await prepare(connection);
    return connection;
  }

  /** Snowflake's numbers of transactions are moments, each of them once. */
  nextTransaction(): number {
    this.#lastTransaction = Math.max(Date.now(), this.#lastTransaction + 1);
    return this.#lastTransaction;
  }

  /** Runs DuckDB's SQL as the owner of the data, when nobody else writes. */
  async run(sql: string): Promise<void> {
    const release = await this.writing.acquire();
    try {
      await this.#owner.run(sql);
      this.changes.everything();
    } finally {
      release();
    }
  }

  /** The answer to DuckDB's SQL, every value as text. */
  async query(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    const rows = (await this.#owner.runAndReadAll(sql)).getRows();
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  }

  close(): void {
    this.#owner.closeSync();
    this.#instance.closeSync();
  }
}

async function prepare(connection: DuckDBConnection): Promise<void> {
  await connection.run("set timezone = 'UTC'");
  await connection.run(`set search_path = '"${database}".main,snowflake.main'`);
}

/**
 * One writer at a time. Snowflake lets a second writer of a table wait for the first one's end, where DuckDB would fail
 * it; and as nobody else writes meanwhile, a transaction sees what is committed when it first writes.
 */
export class WriteLock {
  #last: Promise<void> = Promise.resolve();

  /** Waits for its turn. Whoever gives up waiting by the signal does not get it. */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = before.then(() => promise);
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      signal?.throwIfAborted();
      await Promise.race([before, aborted.promise]);
      return release;
    } catch (error) {
      release();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** When tables changed, for SYSTEM$LAST_CHANGE_COMMIT_TIME. */
export class Changes {
  readonly #tables = new Map<string, bigint>();
  #all = 1n;
  #count = 1n;

  table(name: string): void {
    this.#tables.set(name, (this.#count += 1n));
  }

  /** Any table may have changed. */
  everything(): void {
    this.#all = this.#count += 1n;
  }

  token(name: string): string {
    const own = this.#tables.get(name) ?? 0n;
    return String(own > this.#all ? own : this.#all);
  }
}
