/** What it takes to execute a statement, and what comes of it. */
import type { Bindings } from "./binds.ts";
import type { Engine } from "./engine.ts";
import { insufficientPrivileges } from "./failure.ts";
import { type ResultSet, type ResultSize, smallResult } from "./results.ts";
import { fullRowType } from "./rowtype.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { textColumn, type Transfer } from "./stage-statements.ts";
import type { Stages } from "./stages.ts";

export interface Execution {
  readonly sql: string;
  readonly queryId: string;
  readonly bindings: Bindings;
  readonly describeOnly: boolean;
  readonly signal: AbortSignal;
}

export interface Executed {
  readonly result: ResultSet;
  /** What kind of statement it was, by Snowflake's numbers. */
  readonly statementType: number;
  /** For PUT and GET: what the driver has to do. */
  readonly transfer?: Transfer;
}

/** What a statement can ask of all that were submitted, itself among them. */
export interface Submitted {
  /** The answer that one was given. Throws when it has none. */
  answer(id: string): ResultSet;
  /** Ends those of a session. */
  abortAll(session: Session): void;
}

export interface Workplace {
  readonly engine: Engine;
  readonly stages: Stages;
  readonly size: ResultSize;
  readonly readOnly: boolean;
  readonly storageToken: string;
  /** Files that tables have loaded. */
  readonly loaded: Set<string>;
  /** Where the server listens. */
  readonly url: () => string;
  readonly sessions: Sessions;
  readonly queries: () => Submitted;
}

/** Snowflake's numbers of kinds of statements. */
export const types = {
  select: 0x1000,
  insert: 0x3100,
  update: 0x3200,
  delete: 0x3300,
  merge: 0x3400,
  copy: 0x3600,
  ddl: 0x6000,
  other: 0x4000,
};

/** Throws unless the role may write there. */
export function requireWritable({ readOnly }: Workplace, name: string, temporary: boolean): void {
  if (readOnly && !temporary) throw insufficientPrivileges(`table '${name}'`);
}

/** How many rows were changed, in the columns that Snowflake counts them in. */
export function changed(kind: string, counts: ReadonlyMap<string, number>): Executed {
  const words = { INSERT: "inserted", UPDATE: "updated", DELETE: "deleted" };
  const counted = Object.entries(words).filter(([action]) => kind === "merge" || kind.toUpperCase() === action);
  const columns = counted.map(([, word]) =>
    fullRowType({ name: `number of rows ${word}`, type: "fixed", precision: 19, scale: 0 }),
  );
  const row = counted.map(([action]) => String(counts.get(action) ?? 0));
  const statementType = types[kind as keyof typeof types] ?? types.other;
  return { result: smallResult(columns, [row]), statementType };
}

/** A statement that has nothing to answer but that it is done. */
export function done(words: string): Executed {
  return { result: smallResult([textColumn("status")], [[words]]), statementType: types.ddl };
}
