/**
 * CONTRACT: what a folder of `src/warehouses/` is.
 *
 * A warehouse answers questions about models, and plans and commits the runs of a sync. The diff runs where the data
 * is: only planned changes leave the warehouse. State and plan live in the warehouse's planner schema, in tables with
 * one fixed set of names for each sync, so that grants can be least-privilege. Of a warehouse that may only be read,
 * keys and fingerprints leave it, and state and plan live outside.
 */
import type { ZodObject } from "zod";

/**
 * The logical type of a column, the same in every warehouse. A native type that is widened upstream
 * (int to bigint, numeric(10,2) to numeric(12,4)) keeps its logical type, so nothing is sent again.
 */
export type ColumnType =
  | "text"
  | "integer"
  | "decimal"
  | "float"
  | "boolean"
  | "date"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "binary"
  | "json";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The warehouse's own name of the type, for people. */
  readonly native: string;
  /** The column is not the model's: it is looked up for each row in the state of another sync of the same planner schema. */
  readonly lookup?: StateLookup;
}

/** The destination's own id of the record that another sync has for a row key. */
export interface StateLookup {
  /** The name under which that sync's planner keeps its state. */
  readonly state: string;
  /** The column of this model that holds the other row's key. */
  readonly by: Column;
}

/**
 * A value as it leaves a warehouse: canonical text, the same from every warehouse, or null.
 *
 * | type        | text                                                          |
 * |-------------|---------------------------------------------------------------|
 * | text        | as it is                                                      |
 * | integer     | `-12`                                                         |
 * | decimal     | `12.5`: every digit, no exponent, no trailing zeros           |
 * | float       | shortest text that reads back as the same double; `NaN`, `Infinity`, `-Infinity` |
 * | boolean     | `true`, `false`                                               |
 * | date        | `2026-11-23`                                                  |
 * | time        | `09:30:00.000000`                                             |
 * | timestamp   | `2026-11-23T09:30:00.000000` (no zone)                        |
 * | timestamptz | `2026-11-23T09:30:00.000000Z` (UTC)                           |
 * | binary      | lower-case hex                                                |
 * | json        | JSON                                                          |
 *
 * Fractions of a second have six digits, or nine where the column has them.
 */
export type Cell = string | null;

/** A segment's filter, as the documents write it. Column names are the model's. */
export type Filter =
  | { readonly all: readonly Filter[] }
  | { readonly any: readonly Filter[] }
  | { readonly not: Filter }
  | Condition
  | { readonly sql: string };

export type Comparison = "=" | "!=" | ">" | ">=" | "<" | "<=";

export type Condition =
  | { readonly column: string; readonly is: Comparison; readonly value: string | number | boolean }
  | { readonly column: string; readonly is: "in" | "not_in"; readonly value: readonly (string | number | boolean)[] }
  | { readonly column: string; readonly is: "contains" | "starts_with" | "ends_with"; readonly value: string }
  | { readonly column: string; readonly is: "null" | "not_null" };

/** What is read: a model, by SQL or by table name, with its key, narrowed by a segment's filter. */
export interface ModelQuery {
  /** One SELECT statement, or a table name such as `analytics.marts.accounts`. */
  readonly from: { readonly sql: string } | { readonly table: string };
  readonly key: readonly string[];
  readonly filter?: Filter;
}

/** What names a row: the texts of its key columns, in the order of the model's key. */
export type RowKey = readonly string[];

/** One execution of a sync as the planner knows it. A higher fence takes over from a lower one. */
export interface RunRef {
  readonly id: string;
  readonly fence: number;
}

export type ChangeKind = "added" | "changed" | "removed";

/** A row that cannot be sent for its key: its key is null, or shared, or another row has the same match values. */
export type KeyFault = "null_key" | "duplicate_key" | "duplicate_match";

export interface PlanRequest {
  readonly run: RunRef;
  readonly model: ModelQuery;
  /** The columns that the mapping reads: fingerprinted and delivered in this order. */
  readonly columns: readonly Column[];
  /** The columns (of `columns`) whose values find the record in the destination. Empty when there is nothing to match. */
  readonly match: readonly string[];
  /** The destination takes match values that differ only in case or outer blanks for one record. Default false. */
  readonly matchIgnoresCase?: boolean;
  /** Part of every fingerprint. A new salt (an edited mapping) plans every row as changed. */
  readonly salt: string;
  /**
   * `full` plans every row of the model, also those whose fingerprint is unchanged. `keys` plans the rows of `keys` and
   * no other: only they are read, and only they are removed when they left the model.
   */
  readonly scope: "changes" | "full" | "keys";
  /** Rows that are planned even if they have not changed or wait for their back-off. Their number fits one statement. */
  readonly keys?: readonly RowKey[];
  /** Whether rows that left the model are planned. When false they stay in state, untouched. */
  readonly removals: boolean;
  /** Now, by the clock that decides back-off. */
  readonly now: Date;
  /** A dry run goes to a table of its own, is never committed, and leaves state and any held plan alone. */
  readonly dryRun?: boolean;
}

export interface PlanCounts {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly nullKeys: number;
  readonly duplicateKeys: number;
  readonly duplicateMatches: number;
  readonly unchanged: number;
  /** Rows that differ but wait for their back-off after a rejection. Not planned. */
  readonly waiting: number;
  /** Rows of the model, after the filter. With scope `keys` those that are named. */
  readonly modelRows: number;
  /** Rows in state before the run. With scope `keys` they are counted only where something is removed, else 0. */
  readonly stateRows: number;
  /** Keys of `PlanRequest.keys` that neither the model nor state has. */
  readonly notFound: number;
}

/** One numbered row of a plan. */
export interface PlannedChange {
  /** 1 … n without gaps: removed rows first, then key faults, then changed, then added, each by row key. */
  readonly seq: number;
  readonly kind: ChangeKind | KeyFault;
  /**
   * The row's key: the canonical text of the key column; of several columns a JSON array of their texts.
   * A null key has a name made of its fingerprint, so that the same row is reported once.
   */
  readonly rowKey: string;
  /** The cells of `PlanRequest.columns`, in that order. Null for removed rows. */
  readonly cells: readonly Cell[] | null;
  /** What state knows of the row; null for a row that state does not have. */
  readonly known: KnownRow | null;
  /** A row of state that `PlanRequest.keys` names: to be sent also when the destination is known to hold it already. */
  readonly named: boolean;
  /**
   * Removed rows only: another row of the model now has these match values, so the record is not to be removed. The
   * commit forgets the row once that other one was accepted, and keeps it until then.
   */
  readonly reclaimed: boolean;
}

export interface KnownRow {
  /** Hash of the record last accepted; null when in doubt. */
  readonly recordHash: string | null;
  /** The destination's own id of the record. */
  readonly destinationId: string | null;
  /** The cells of the match columns when it was last sent; lower-case and trimmed where the match ignores case. */
  readonly match: readonly Cell[];
}

/** What became of one planned change. A change without an outcome was never sent: the commit leaves it as it was. */
export interface OutcomeRow {
  readonly seq: number;
  readonly kind: "accepted" | "rejected" | "invalid" | "in_doubt";
  readonly recordHash?: string | undefined;
  readonly destinationId?: string | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** Outcomes, a page at a time; at most one for each change. */
export type OutcomePages = AsyncIterable<readonly OutcomeRow[]> | Iterable<readonly OutcomeRow[]>;

/** A row that was rejected keeps its state and waits before it is planned again, unless its values change first. */
export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
  /** After so many rejections it waits until it changes. Absent: it is tried for ever. */
  readonly times?: number | undefined;
}

export interface CommitOptions {
  readonly now: Date;
  readonly backOff: BackOff;
  /** Keep the accepted records that were staged, and what they replace. Default false. */
  readonly keepRecords?: boolean;
}

/** A row of state, for tests and for people. */
export interface StateRow {
  readonly rowKey: string;
  readonly inDoubt: boolean;
  readonly recordHash: string | null;
  readonly destinationId: string | null;
  readonly match: readonly Cell[];
  readonly runId: string;
}

/**
 * Plan and state of one sync.
 *
 * The protocol: `plan` freezes the change set and registers the run as open, before the first request goes out.
 * `record` uploads outcomes, any number of times, idempotently by seq. `commit` moves them into state in one
 * transaction guarded by the run's fence; a repeated commit, or one under an old fence, changes nothing.
 * Recovery is `takeOver`, `record` of what the journal holds, `commit`.
 */
export interface Planner {
  plan(request: PlanRequest, signal?: AbortSignal): Promise<PlanCounts>;
  /** Streams the plan in order of seq, in pages; only this many rows are in memory at a time. */
  read(run: RunRef, options: ReadOptions, signal?: AbortSignal): AsyncIterable<readonly PlannedChange[]>;
  record(run: RunRef, outcomes: OutcomePages): Promise<void>;
  commit(run: RunRef, options: CommitOptions): Promise<"committed" | "already_done" | "fenced">;
  /** Runs that were planned and not committed. */
  openRuns(): Promise<readonly RunRef[]>;
  /** Raises an open run's fence. False when it is no longer open or has a fence as high or higher. */
  takeOver(run: RunRef): Promise<boolean>;
  /** Closes an open run of which nothing was sent: a cancelled held plan. State stays as it was. */
  discard(run: RunRef): Promise<void>;
  /** Every state row, in order of row key. */
  state(): AsyncIterable<readonly StateRow[]>;
  /** Drops all tables of this sync: the sync was deleted. */
  drop(): Promise<void>;
  /** Absent where the planner cannot keep records. */
  readonly records?: KeptRecords;
  /** Other processes can read a plan while this one does. */
  readonly shared: boolean;
}

/**
 * The records that the destination accepted last, for a sync that keeps values: what a plan compares with, field by
 * field, and what a run is undone to. They are customers' data, and are nowhere but in the planner's own schema.
 */
export interface KeptRecords {
  /** Stages the records of a planned run, replacing what was staged before. Its commit keeps those that were accepted. */
  stage(run: RunRef, pages: AsyncIterable<readonly StagedRecord[]>): Promise<void>;
  /** The records last accepted of these rows. Of a row in doubt, or sent while nothing was kept, none is known. */
  find(rowKeys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Plans the undoing of a run, as `Planner.plan` does a run: rows that it changed go back to the record before, rows
   * that it removed come back. Its rows are read with `revertColumns`.
   */
  planRevert(request: RevertRequest, signal?: AbortSignal): Promise<RevertCounts>;
}

/** The record of one planned change, as JSON, and the hash that its outcome has. */
export interface StagedRecord {
  readonly seq: number;
  readonly recordHash: string;
  readonly record: string;
}

export interface RevertRequest {
  readonly run: RunRef;
  /** The run to be undone. */
  readonly reverts: string;
  readonly now: Date;
  readonly dryRun?: boolean;
}

/** What can be undone of a run is the plan; what cannot is counted. */
export interface RevertCounts {
  readonly plan: PlanCounts;
  /** Rows that the run sent for the first time: what the destination held before is not known. */
  readonly first: number;
  /** Rows that a later run has sent again, removed, or left in doubt. */
  readonly overtaken: number;
  /** Rows of which no earlier record was kept. */
  readonly unknown: number;
}

/** The columns of a plan that undoes a run: the record as it was staged. */
export const revertColumns: readonly Column[] = [{ name: "record", type: "json", native: "json" }];

export interface ReadOptions {
  /** The columns that the plan was made with. */
  readonly columns: readonly Column[];
  readonly pageRows: number;
  /** Reads only seq greater than this. */
  readonly afterSeq?: number;
  readonly limit?: number;
  readonly dryRun?: boolean;
}

/** A connection to one warehouse. Errors are WarehouseErrors with the warehouse's own words. */
export interface Warehouse {
  /** Resolves if the credentials work, models can be read and the planner schema can be written. */
  check(signal?: AbortSignal): Promise<void>;
  /** The columns of a model. Fails by name on a missing table, a SQL error, or a key column that is not there. */
  columns(model: ModelQuery, signal?: AbortSignal): Promise<readonly Column[]>;
  /** The first rows of a model, as cells in the order of `columns`. */
  sample(
    model: ModelQuery,
    columns: readonly Column[],
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly (readonly Cell[])[]>;
  /** How many rows a model has, after its filter. */
  count(model: ModelQuery, signal?: AbortSignal): Promise<number>;
  /**
   * A text that changes whenever a table behind the model does, asked for more cheaply than the model itself. Null when
   * it cannot be told: the model also depends on the time, on chance, or on what has no such text.
   */
  inputsToken?(model: ModelQuery, signal?: AbortSignal): Promise<string | null>;
  /** The planner of one sync. `sync` is its name: lower-case letters, digits, hyphens, underscores. */
  planner(sync: string): Planner;
  /** Releases what it holds. Safe to call twice. */
  close(): Promise<void>;
}

/** Where plan and state live. */
export type PlannerPlace =
  /** In the warehouse, in a schema that is made if it is missing and the role may. */
  | { readonly in: "warehouse"; readonly schema: string }
  /** Outside it: the warehouse is only read. */
  | {
      readonly in: "local";
      /** What keeps plan and state: a folder, or a bucket. */
      readonly store: { readonly folder: string } | BucketPlace;
      /** The folder for what is needed while a run is planned or committed. */
      readonly scratch: string;
      /** How much memory planning may use, as DuckDB writes it; beyond it, it uses files: `256MB`. */
      readonly memoryLimit: string;
    };

/** A place in S3 or storage that speaks its protocol. */
export interface BucketPlace {
  readonly bucket: string;
  /** Before every key, without a slash at its end. Default: none. */
  readonly prefix?: string | undefined;
  readonly region?: string | undefined;
  /** The address of other storage than Amazon's. */
  readonly endpoint?: string | undefined;
  /** Default: what the environment of the process gives, as for every AWS tool. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
}

/** What a folder of `src/warehouses/` exports as `default`. */
export interface WarehouseAdapter<Connection = unknown> {
  /** The `type` of a source in the documents. */
  readonly type: string;
  readonly title: string;
  /** What a person must give to connect. Secrets are marked with `.meta({ secret: true })`. */
  readonly connection: ZodObject;
  /** Connects on first use. Paths in the connection are relative to `workspace`. */
  connect(connection: Connection, options: { planner: PlannerPlace; workspace: string }): Warehouse;
  /**
   * The SQL by which the owner of the warehouse gives the role exactly what it needs: to read these models and, where
   * `schema` is given, to keep plan and state there. Absent: the warehouse has no roles.
   */
  grants?(
    connection: Connection,
    wanted: { readonly models: readonly ModelQuery[]; readonly schema: string | null },
  ): Promise<string>;
}

/** A warehouse's own protocol on loopback, over a DuckDB database: to try a source without an account. */
export interface ServedWarehouse {
  readonly url: string;
  /** Runs DuckDB's SQL as the owner of the data. */
  run(sql: string): Promise<void>;
  /** The answer to DuckDB's SQL, every value as text. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
  close(): Promise<void>;
}

/** What a `sandbox/index.ts` in a folder of `src/warehouses/` exports as `default`. `database`: a DuckDB file. */
export type ServeWarehouse = (options: {
  readonly port?: number;
  readonly database?: string | undefined;
}) => Promise<ServedWarehouse>;
