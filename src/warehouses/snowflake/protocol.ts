/** What the service and the driver's process say to each other. */
import type { Row } from "../dialect.ts";

/** How a connection logs in, in the driver's own words. */
export type LoginOptions = Readonly<Record<string, string | number | boolean>>;

export type Call =
  | { readonly call: "open"; readonly login: LoginOptions; readonly first: readonly string[] }
  | { readonly call: "run"; readonly connection: number; readonly statement: Statement }
  /** The next page of an answer that is read in pages. */
  | { readonly call: "next"; readonly reading: number }
  /** Stops what a call is doing, or ends the reading of its answer. */
  | { readonly call: "stop"; readonly of: number }
  | { readonly call: "close"; readonly connection: number };

export interface Statement {
  readonly sql: string;
  /** Rows of values for the statement's question marks. */
  readonly binds?: readonly Row[];
  /** For the account's query history. */
  readonly tag?: string | undefined;
  /** What is wanted of the answer. */
  readonly answer: "rows" | "count" | "columns" | "pages";
  /** Submitted, then asked for by its query id: outlives a connection that is cut meanwhile. */
  readonly long?: boolean;
  readonly pageRows?: number;
}

export interface NativeColumn {
  readonly name: string;
  readonly type: string;
  readonly precision: number;
  readonly scale: number;
}

export type Answer =
  | { readonly connection: number }
  | { readonly rows: readonly Row[] }
  | { readonly count: number }
  | { readonly columns: readonly NativeColumn[] }
  /** An answer that is read in pages, by this number. */
  | { readonly reading: number }
  /** Null: the answer was read whole. */
  | { readonly page: readonly Row[] | null };

export interface Failure {
  readonly message: string;
  /** Snowflake's or the driver's number of the error. */
  readonly code: string;
  readonly sqlState: string;
}

export type ToProcess = Call & { readonly id: number };
export type FromProcess =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly failure: Failure };
