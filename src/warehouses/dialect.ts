/**
 * What differs between SQL warehouses: how a few things are spelled, and how statements are run. The planner's
 * statements are written once, with a small set of constructs that all of them have: common table expressions, joins,
 * `group by`, `row_number`, MERGE, `create table … as`, `is distinct from`.
 */
import type { Column } from "../warehouse.ts";
import type { PlannerTables } from "./names.ts";

/** How a warehouse spells what the planner needs. All expressions are given and returned as SQL. */
export interface Dialect {
  /** What a name without quotes stands for. */
  fold(name: string): string;
  /** The same for two column names that the warehouse cannot tell apart. */
  columnIdentity(name: string): string;
  /** A column of a model, by the name that `Column` gives it. */
  column(name: string): string;
  /** How SQL that people wrote is to be read. */
  readonly sqlText: SqlText;
  literal(text: string): string;
  /** The type of text columns whose order and equality go by bytes. */
  readonly text: string;
  /** Makes the order of a text expression go by bytes. */
  bytewise(text: string): string;
  /** The type of what `fingerprint` returns. */
  readonly fingerprintType: string;
  /** After `as`, makes a common table expression run once, however often it is read. */
  readonly materialized: string;
  /** A column's value as canonical text (see `Cell`), or null. */
  cell(column: Column, value: string): string;
  /** The text that goes into the fingerprint: the cell, unless that could differ for the same value. */
  stableCell(column: Column, value: string): string;
  /** A hash of texts and nulls, different for different lists. */
  fingerprint(texts: readonly string[]): string;
  /** What `fingerprint` returns, as a text that stands for no other. */
  fingerprintText(fingerprint: string): string;
  /** A text as a JSON string; null stays null. */
  json(text: string): string;
  /** Texts and nulls as one text, a JSON array. Default: put together of `json`. */
  jsonArray?(texts: readonly string[]): string;
  /** Statements that replace a plan by what a query says now, ready to be read by seq. They run in one transaction. */
  freeze(plan: string, query: string): readonly string[];
  /** Makes one of the planner's tables. `rewritten`: all of its rows come and go with every run. */
  createTable(table: string, columns: string, options: { readonly rewritten: boolean }): string;
  /** The tables that are made once; the others by `freeze`. */
  readonly madeOnce: readonly (keyof PlannerTables)[];
  /** A query with one row if the schema exists, as its last name and the names before it. */
  findSchema(schema: readonly string[]): string;
  /** A query for the names of the tables in a schema. */
  findTables(schema: readonly string[]): string;
  /** What the owner of the warehouse has to run so that the planner can work. */
  grants(schema: string): string;
}

/** What the text of a statement may have in it beside standard SQL. */
export interface SqlText {
  /** A backslash in a text is the beginning of an escape sequence. */
  readonly backslashEscapes: boolean;
  /** Two slashes begin a comment. */
  readonly slashComments: boolean;
}

/** One result row: every value as text, or null. */
export type Row = readonly (string | null)[];

/** A session with the warehouse. Errors are WarehouseErrors. */
export interface Session {
  query(sql: string): Promise<readonly Row[]>;
  /** Returns the number of rows that it changed. */
  execute(sql: string): Promise<number>;
  /** Adds rows to a table, in bulk. */
  append(table: string, columns: readonly AppendColumn[], pages: AsyncIterable<readonly Row[]>): Promise<void>;
  /** The columns of a query, in order, without running it. */
  describe(sql: string): Promise<readonly Column[]>;
}

export interface AppendColumn {
  readonly name: string;
  readonly type: "text" | "bigint";
}

/** How statements reach one warehouse. */
export interface Database {
  readonly dialect: Dialect;
  /** Several processes can have it open at the same time. */
  readonly shared: boolean;
  /** Works in a session of its own. */
  session<T>(work: (session: Session) => Promise<T>, options?: SessionOptions): Promise<T>;
  /** Works in one transaction, which is committed when the work resolves and rolled back when it throws. */
  transaction<T>(work: (session: Session) => Promise<T>, options?: SessionOptions): Promise<T>;
  /** Streams a result with bounded memory. Nothing is written. */
  stream(sql: string, options?: SessionOptions): AsyncIterable<readonly Row[]>;
  /**
   * Writes a result as Parquet files into a folder, which for many rows is faster than to stream them. Null where the
   * warehouse cannot, or does not let it be done. Nothing is written to the warehouse's tables.
   */
  export?(sql: string, folder: string, options?: SessionOptions): Promise<readonly string[] | null>;
  /** A plan's rows in order of seq, each page as a JSON array. Whoever reads may take hours over a page. */
  pages(query: PageQuery, signal?: AbortSignal): AsyncIterable<string>;
  /** Keeps the warehouse open until the returned function is called. */
  hold(): () => void;
  close(): Promise<void>;
}

/** The rows of a plan whose seq is greater than `after` and at most `until`. */
export interface PageQuery {
  readonly plan: string;
  /** The expression that makes JSON text of a row. */
  readonly change: string;
  readonly after: number;
  readonly until: number;
  readonly pageRows: number;
  readonly tag?: QueryTag | undefined;
}

/** What a statement is for, as it is shown in the warehouse's query history where it has one. */
export interface QueryTag {
  readonly sync: string;
  readonly run: string;
  readonly step: string;
}

export interface SessionOptions {
  readonly signal?: AbortSignal | undefined;
  /** Refuse every write, where the warehouse can. */
  readonly readOnly?: boolean;
  readonly tag?: QueryTag | undefined;
  /** Of a transaction: on whose behalf it writes. */
  readonly owner?: Owner | undefined;
}

/**
 * Who writes a sync's tables. Where a warehouse lets statements go on whose client is gone, those that were begun under
 * this name with a lower fence have ended before the owner's transaction begins, and are never committed.
 */
export interface Owner {
  readonly name: string;
  readonly fence: number;
}
