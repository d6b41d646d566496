/** What the store needs of a pool of connections. `pg.Pool` is one; the embedded database is made to look like one. */
import type { EventEmitter } from "node:events";
import type { PostgresCursor, PostgresQueryResult } from "kysely";

/** Serves SQL of our own, through Kysely, and the queue that lives on the store. */
export interface StorePool extends EventEmitter {
  readonly options: object;
  connect(): Promise<StoreSession>;
  query<R>(text: string, values?: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  end(): Promise<void>;
}

/** One connection of the pool, for transactions and notifications. */
export interface StoreSession extends EventEmitter {
  query<R>(text: string, values?: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  release(destroy?: boolean): void;
}
