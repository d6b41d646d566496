/** Transactions on a few connections, which are opened when they are needed and kept for the next one. */
import type { Duplex } from "node:stream";
import pg from "pg";
import type { Context, ToldRequest } from "../../src/destination.ts";
import { DestinationError } from "../../src/destination.ts";
import { failureOf, type Phase } from "./errors.ts";
import type { Login } from "./settings.ts";

/** A row's values as the server's own text. */
export type Row = readonly (string | null)[];

/** Sends one statement; its values are text, or lists of text. */
export type Query = (sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** As many as a run has batches under way, and no more: a server has few to give. */
const mostConnections = 4;

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: string | null) => value };

export class Sessions {
  readonly #login: Login;
  readonly #context: Context;
  readonly #begin: string;
  readonly #idle: pg.Client[] = [];
  #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(login: Login, context: Context, statementTimeoutMs: number) {
    this.#login = login;
    this.#context = context;
    // For the transaction only, so that a pooler between may give the connection to another one after it.
    this.#begin = `set local statement_timeout = ${statementTimeoutMs}; set local lock_timeout = ${Math.ceil(statementTimeoutMs * 0.8)};
      set local idle_in_transaction_session_timeout = 30000; set local timezone = 'UTC'; set local datestyle = 'ISO, YMD';
      set local intervalstyle = 'postgres'; set local bytea_output = 'hex'; set local extra_float_digits = 1`;
  }

  /** Looks, and can change nothing. */
  read<Result>(told: ToldRequest, work: (query: Query) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#transact("begin transaction read only", told, work, signal);
  }

  /** All of the work is applied, or nothing of it. */
  write<Result>(told: ToldRequest, work: (query: Query) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#transact("begin transaction read write", told, work, signal);
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((client) => client.end().catch(() => undefined)));
  }

  #transact<Result>(
    begin: string,
    told: ToldRequest,
    work: (query: Query) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    return this.#context.request(told, (inTime) => this.#connected(begin, work, inTime), signal);
  }

  async #connected<Result>(
    begin: string,
    work: (query: Query) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    await this.#turn(signal);
    let phase: Phase = "before commit";
    let client: pg.Client | undefined;
    const cancel = (): void => {
      if (client) this.#cancel(client, signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
    try {
      client = this.#idle.pop() ?? (await this.#open(signal));
      signal.throwIfAborted();
      const query = queryOf(client);
      await client.query(`${begin}; ${this.#begin}`);
      const result = await work(query);
      phase = "at commit";
      const { command } = await client.query("commit");
      if (command !== "COMMIT") throw undone();
      this.#idle.push(client);
      return result;
    } catch (error) {
      if (client) await this.#giveBack(client, error);
      throw failureOf(error, phase);
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#busy -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#busy >= mostConnections) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = (): void => {
        // A turn that is given to nobody would be lost to those who still wait.
        this.#waiting = this.#waiting.filter((one) => one !== resolve);
        reject(failureOf(signal.reason, "before commit"));
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(resolve);
      await promise.finally(() => signal.removeEventListener("abort", stop));
    }
    this.#busy += 1;
  }

  async #open(signal: AbortSignal): Promise<pg.Client> {
    const { server, database, user, password } = this.#login;
    const stream = await this.#context.dial(server, signal);
    const client = new pg.Client({
      database,
      user,
      // Asked for as a function: of an empty one pg would look for the service's own in the environment.
      password: () => password,
      application_name: "sluice",
      ssl: false,
      stream: () => standing(stream),
      types: asText,
    });
    // A connection that breaks is met by the statement under way, or by the next one. Unheard, it would end the process.
    client.on("error", () => undefined);
    client.on("end", () => {
      const at = this.#idle.indexOf(client);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    const stop = (): void => void stream.destroy(asError(signal.reason));
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      return client;
    } catch (error) {
      stream.destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A server that refused is asked to forget the transaction; a connection that broke is of no use any more. */
  async #giveBack(client: pg.Client, error: unknown): Promise<void> {
    const answered = error instanceof pg.DatabaseError || error instanceof DestinationError;
    try {
      if (!answered) throw error;
      await client.query("rollback");
      this.#idle.push(client);
    } catch {
      streamOf(client).destroy();
    }
  }

  /** Lets go at once, and asks the server to end what it is doing. If that fails, the statement's timeout ends it. */
  #cancel(client: pg.Client, reason: unknown): void {
    const { processID, secretKey } = client as unknown as { readonly processID: number; readonly secretKey: number };
    streamOf(client).destroy(asError(reason));
    const message = Buffer.alloc(16);
    [16, cancelCode, processID, secretKey].forEach((number, at) => message.writeInt32BE(number, at * 4));
    this.#context.dial(this.#login.server).then(
      (stream) => void stream.on("error", () => undefined).end(message),
      () => undefined,
    );
  }
}

/** In place of a version: a connection that only cancels. */
const cancelCode = 80_877_102;

/** A stream that is connected already, as pg takes one that it connects itself. */
function standing(stream: Duplex): Duplex {
  return Object.assign(stream, { connect: () => process.nextTick(() => stream.emit("connect")) });
}

function streamOf(client: pg.Client): Duplex {
  return (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream;
}

function queryOf(client: pg.Client): Query {
  return async (text, values = []) => {
    const query: pg.QueryArrayConfig & { queryMode: "extended" } = {
      text,
      values: [...values],
      rowMode: "array",
      queryMode: "extended",
    };
    return (await client.query<(string | null)[]>(query)).rows;
  };
}

function undone(): Error {
  return new Error("the transaction was undone at its end");
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
