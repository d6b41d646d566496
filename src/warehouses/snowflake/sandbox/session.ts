/** One session of a client: who it is, where it is, its connection to DuckDB and its transaction. */
import { randomUUID } from "node:crypto";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Engine } from "./engine.ts";
import { database as dataName, quoted, schemaInDuckdb } from "./sql/names.ts";

export interface Transaction {
  readonly id: number;
  readonly name: string;
  readonly startedAt: Date;
}

export interface Place {
  readonly role: string;
  readonly warehouse: string | null;
  readonly database: string;
  readonly schema: string;
}

export class Session {
  readonly id: number;
  readonly user: string;
  readonly connection: DuckDBConnection;
  /** By names in upper case. */
  readonly parameters = new Map<string, string>();
  /** Names of the temporary tables that it made. */
  readonly temporary = new Set<string>();
  place: Place;
  lastQueryId: string | null = null;
  readonly #engine: Engine;
  /** The transaction that is open, if any. */
  transaction: Transaction | null = null;
  #writing = false;
  #release: (() => void) | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #changed = new Set<string>();

  constructor(id: number, user: string, place: Place, connection: DuckDBConnection, engine: Engine) {
    this.id = id;
    this.user = user;
    this.place = place;
    this.connection = connection;
    this.#engine = engine;
  }

  /** One statement after the other: a connection can do but one thing. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return await done;
  }

  async moveTo(place: Partial<Place>): Promise<void> {
    this.place = { ...this.place, ...place };
    const schema = `${quoted(dataName)}.${quoted(schemaInDuckdb(this.place.schema))}`;
    await this.connection.run(`set search_path = '${schema.replaceAll("'", "''")},snowflake.main'`);
  }

  /**
   * Begins a transaction. DuckDB is told with the first write: up to then each statement sees what is committed, as in
   * Snowflake.
   */
  begin(name?: string): void {
    this.transaction ??= { id: this.#engine.nextTransaction(), name: name ?? randomUUID(), startedAt: new Date() };
  }

  async commit(): Promise<void> {
    await this.#end("commit");
    for (const table of this.#changed) this.#engine.changes.table(table);
    this.#changed.clear();
  }

  async rollback(): Promise<void> {
    await this.#end("rollback");
    this.#changed.clear();
  }

  /** Does a write, in the transaction if there is one, else in one of its own. */
  async write<T>(table: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.parameters.get("AUTOCOMMIT")?.toLowerCase() === "false") this.begin();
    if (this.transaction === null) {
      const release = await this.#engine.writing.acquire(signal);
      try {
        const result = await work();
        this.#engine.changes.table(table);
        return result;
      } finally {
        release();
      }
    }
    if (!this.#writing) {
      this.#release = await this.#engine.writing.acquire(signal);
      this.#writing = true;
      await this.connection.run("begin transaction");
    }
    this.#changed.add(table);
    return await work();
  }

  async close(): Promise<void> {
    this.connection.interrupt();
    await this.inTurn(() => this.rollback()).catch(() => undefined);
    this.connection.closeSync();
  }

  async #end(how: "commit" | "rollback"): Promise<void> {
    const writing = this.#writing;
    this.#writing = false;
    this.transaction = null;
    try {
      if (writing) await this.connection.run(how);
    } finally {
      this.#release?.();
      this.#release = null;
    }
  }
}
