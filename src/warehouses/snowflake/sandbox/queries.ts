/** Queries by their ids: each one runs once, whoever asks for its answer and however often. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bindings } from "./binds.ts";
import type { Executor } from "./execute.ts";
import type { Executed } from "./executed.ts";
import { canceled, failureOf, notFound, type SnowflakeFailure, timedOut } from "./failure.ts";
import type { Chunk, ResultSet } from "./results.ts";
import type { Session } from "./session.ts";

export interface Submission {
  readonly sql: string;
  readonly requestId: string;
  readonly bindings: Bindings;
  readonly describeOnly: boolean;
  readonly tag: string | null;
  readonly timeoutSeconds: number | null;
  /** A statement that is to be slow waits so long; one that hangs, for ever. */
  readonly delayMs: number;
}

export type Outcome = { readonly executed: Executed } | { readonly failure: SnowflakeFailure };

/** What the history of queries says of one. Values of rows are in it only where the statement has them in its text. */
export interface QueryRecord {
  readonly queryId: string;
  readonly sql: string;
  readonly tag: string | null;
  readonly user: string;
  readonly sessionId: number;
  readonly status: "running" | "success" | "failed";
  readonly code: string | null;
  readonly rows: number | null;
  /** How long it took, or has taken up to now. */
  readonly milliseconds: number;
}

const keptRecords = 5000;
/** Answers that may be asked for again hold no more than this. */
const keptChunkBytes = 512 * 1024 * 1024;
const keptAnswers = 2000;

export class Query {
  readonly id = randomUUID();
  readonly requestId: string;
  readonly sql: string;
  readonly tag: string | null;
  readonly session: Session;
  readonly startedAt = Date.now();
  #endedAt: number | null = null;
  readonly outcome: Promise<Outcome>;
  ended: Outcome | null = null;
  readonly #aborting = new AbortController();

  constructor(submission: Submission, session: Session, executor: Executor) {
    this.requestId = submission.requestId;
    this.sql = submission.sql;
    this.tag = submission.tag;
    this.session = session;
    this.outcome = this.#run(submission, executor).then((outcome) => {
      this.#endedAt = Date.now();
      return (this.ended = outcome);
    });
  }

  abort(reason: SnowflakeFailure = canceled()): void {
    this.#aborting.abort(reason);
  }

  chunk(index: number): Chunk | undefined {
    return this.ended !== null && "executed" in this.ended ? this.ended.executed.result.chunks[index] : undefined;
  }

  record(): QueryRecord {
    const failure = this.ended !== null && "failure" in this.ended ? this.ended.failure : null;
    const executed = this.ended !== null && "executed" in this.ended ? this.ended.executed : null;
    return {
      queryId: this.id,
      sql: this.sql,
      tag: this.tag,
      user: this.session.user,
      sessionId: this.session.id,
      status: this.ended === null ? "running" : failure === null ? "success" : "failed",
      code: failure?.code ?? null,
      rows: executed?.result.total ?? null,
      milliseconds: (this.#endedAt ?? Date.now()) - this.startedAt,
    };
  }

  async #run(submission: Submission, executor: Executor): Promise<Outcome> {
    const { timeoutSeconds } = submission;
    const timer =
      timeoutSeconds === null || timeoutSeconds <= 0
        ? undefined
        : setTimeout(() => this.abort(timedOut(timeoutSeconds)), timeoutSeconds * 1000);
    const { signal } = this.#aborting;
    try {
      return { executed: await this.session.inTurn(() => this.#execute(submission, executor, signal)) };
    } catch (error) {
      // What DuckDB says of an interruption is not why it was interrupted.
      return { failure: signal.aborted ? failureOf(signal.reason) : failureOf(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  async #execute(submission: Submission, executor: Executor, signal: AbortSignal): Promise<Executed> {
    if (submission.delayMs > 0) await sleep(submission.delayMs, undefined, { signal });
    signal.throwIfAborted();
    const interrupt = (): void => this.session.connection.interrupt();
    signal.addEventListener("abort", interrupt);
    try {
      return await executor.execute({ ...submission, queryId: this.id, signal }, this.session);
    } finally {
      signal.removeEventListener("abort", interrupt);
      this.session.lastQueryId = this.id;
    }
  }
}

/** The queries that were submitted, and the history of them. */
export class Queries {
  readonly #executor: Executor;
  readonly #byId = new Map<string, Query>();
  readonly #byRequest = new Map<string, Query>();
  /** A query that is forgotten leaves its record: a record holds no rows. */
  readonly #history = new Map<string, Query | QueryRecord>();
  /** Those that have ended, the oldest first, and what their answers hold. */
  readonly #answered = new Set<Query>();
  #answeredBytes = 0;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** Runs a statement, unless this very request has come before: then it is the query of that one. */
  submit(submission: Submission, session: Session): Query {
    const before = this.#byRequest.get(submission.requestId);
    if (before !== undefined && before.session.user === session.user) return before;
    const query = new Query(submission, session, this.#executor);
    this.#byId.set(query.id, query);
    this.#byRequest.set(submission.requestId, query);
    this.#history.set(query.id, query);
    const [oldest] = this.#history.keys();
    if (this.#history.size > keptRecords && oldest !== undefined) this.#history.delete(oldest);
    void query.outcome.then(() => this.#keep(query));
    return query;
  }

  byId(id: string): Query {
    const query = this.#byId.get(id);
    if (query === undefined) throw notFound("Query", id);
    return query;
  }

  /** The answer that a query was given. Throws when it has none. */
  answer(id: string): ResultSet {
    const { ended } = this.byId(id);
    if (ended === null) throw notFound("Result of query", id);
    if ("failure" in ended) throw ended.failure;
    return ended.executed.result;
  }

  byRequest(requestId: string): Query | undefined {
    return this.#byRequest.get(requestId);
  }

  records(): readonly QueryRecord[] {
    return [...this.#history.values()].map((one) => (one instanceof Query ? one.record() : one));
  }

  abortAll(session?: Session): void {
    for (const query of this.#byId.values()) {
      if (query.ended === null && (session === undefined || query.session === session)) query.abort();
    }
  }

  clear(): void {
    this.abortAll();
    this.#byId.clear();
    this.#byRequest.clear();
    this.#history.clear();
    this.#answered.clear();
    this.#answeredBytes = 0;
  }

  /** The oldest answers go first; the one that has just come stays. */
  #keep(query: Query): void {
    if (!this.#byId.has(query.id)) return;
    this.#answered.add(query);
    this.#answeredBytes += chunkBytes(query);
    for (const oldest of this.#answered) {
      const fits = this.#answeredBytes <= keptChunkBytes && this.#answered.size <= keptAnswers;
      if (fits || oldest === query) return;
      this.#forget(oldest);
    }
  }

  #forget(query: Query): void {
    this.#answered.delete(query);
    this.#answeredBytes -= chunkBytes(query);
    this.#byId.delete(query.id);
    this.#byRequest.delete(query.requestId);
    if (this.#history.has(query.id)) this.#history.set(query.id, query.record());
  }
}

function chunkBytes({ ended }: Query): number {
  if (ended === null || !("executed" in ended)) return 0;
  return ended.executed.result.chunks.reduce((sum, { gzipped }) => sum + gzipped.length, 0);
}
