/**
 * The embedded database as a pool. PGlite is one session, so all share one `pg.Client` over it: a statement waits its
 * turn, and a transaction keeps the turn until it ends.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import type { PostgresCursor, PostgresQueryResult } from "kysely";
import pg from "pg";
import { SluiceError } from "../errors.ts";
import type { StorePool } from "./pool.ts";

/** The session whose statements the code that runs now has sent. */
const current = new AsyncLocalStorage<Session>();

/** All of it is touched at the start, and by default it is 128 MB. Behind it is the system's own cache of the files. */
const sharedBuffers = "shared_buffers=32MB";

/** Opens the embedded database in a folder, or in memory when there is none. Only one process may open a folder. */
export async function openPglite(folder: string | undefined, searchPath: string): Promise<StorePool> {
  const pglite = await PGlite.create({
    ...(folder === undefined ? {} : { dataDir: folder }),
    startParams: [...PGlite.defaultStartParams, "-c", sharedBuffers],
  });
  const client = new pg.Client(createPgConfig(pglite));
  await client.connect();
  await client.query(`set search_path to ${searchPath}`);
  return new PglitePool(pglite, client);
}

class PglitePool extends EventEmitter implements StorePool {
  /** There is no socket that could be cut unnoticed: the queue may wait for notifications as long as it likes. */
  readonly options = { keepAlive: true };
  readonly #pglite: PGlite;
  readonly #client: pg.Client;
  readonly #sessions = new Set<Session>();
  readonly #turns = new Turns();
  #ending: Promise<void> | undefined;

  constructor(pglite: PGlite, client: pg.Client) {
    super();
    // Every waiting worker listens.
    this.setMaxListeners(0);
    this.#pglite = pglite;
    this.#client = client;
    client.on("error", (error) => this.listenerCount("error") > 0 && this.emit("error", error));
    client.on("notification", (message) => {
      for (const session of this.#sessions) session.emit("notification", message);
    });
  }

  async connect(): Promise<Session> {
    if (this.#ending) throw new Error("Cannot use a pool after calling end on the pool");
    const session = new Session(this.#client, this.#turns, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  async query<R>(text: string, values?: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const session = await this.connect();
    try {
      return await session.query<R>(text, values);
    } finally {
      session.release();
    }
  }

  /** Waits for statements and transactions that are under way. */
  end(): Promise<void> {
    this.#ending ??= this.#close();
    return this.#ending;
  }

  async #close(): Promise<void> {
    await this.#turns.take();
    // The client has no socket to end: closing the database is what ends it.
    await this.#pglite.close();
  }
}

/** What code that asks the pool for a connection is given. Costs nothing while it sends nothing. */
class Session extends EventEmitter {
  readonly #client: pg.Client;
  readonly #turns: Turns;
  readonly #onRelease: () => void;
  /** A connection's statements run one after the other, whether or not its user waits for each. */
  readonly #ownTurns = new Turns();
  #endTurn: (() => void) | undefined;
  #released = false;

  constructor(client: pg.Client, turns: Turns, onRelease: () => void) {
    super();
    this.#client = client;
    this.#turns = turns;
    this.#onRelease = onRelease;
  }

  /** Its user has a transaction open, for which others wait. */
  get inTransaction(): boolean {
    return this.#endTurn !== undefined && !this.#released;
  }

  query<R>(text: string, values?: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    text: string | PostgresCursor<R>,
    values?: readonly unknown[],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof text !== "string") throw new TypeError("the embedded database has no cursors");
    return this.#send<R>(text, values);
  }

  async #send<R>(text: string, values?: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    // It would wait for the transaction, which waits for it: for ever.
    const outer = current.getStore();
    if (outer?.inTransaction && outer !== this) throw new OutsideTransaction(text);
    // Before the first `await`, so that it holds for the caller's next statements.
    current.enterWith(this);
    const done = await this.#ownTurns.take();
    const endTurn = this.#endTurn ?? (await this.#turns.take());
    try {
      const result = await this.#client.query(text, values === undefined ? undefined : [...values]);
      return result as PostgresQueryResult<R>;
    } finally {
      // PGlite answers within microtasks, so a busy queue would stop every timer and socket of the process.
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#endTurn = this.#client.getTransactionStatus() === "I" ? undefined : endTurn;
      if (this.#endTurn === undefined) endTurn();
      done();
    }
  }

  release(): void {
    this.#onRelease();
    this.#released = true;
    if (this.#endTurn) this.#send("rollback").catch(() => undefined);
  }
}

/** A query beside an open transaction of the embedded database, made inside that very transaction. */
class OutsideTransaction extends SluiceError {
  override readonly name = "OutsideTransaction";
  constructor(text: string) {
    super("outside_transaction", `This query is not part of the transaction that is open here: ${text.slice(0, 80)}`, {
      hint: "Send it through the transaction.",
    });
  }
}

/** Turns are taken in the order in which they were asked for. */
class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves with what ends the turn; to call it twice does no harm. */
  async take(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    await before;
    return resolve;
  }
}
