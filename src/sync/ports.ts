/**
 * What a run needs of the world, as interfaces: time, chance, the control store. With the contracts of warehouse,
 * destination and mapping they are all that `src/sync/` knows, so a simulation can drive it through any fault.
 */
import type { Mode, ObjectSettings, Removal } from "../destination.ts";
import type { Column, ModelQuery, OutcomeRow, PlanCounts } from "../warehouse.ts";

export interface Clock {
  /** Now. In production the control store's clock, so that workers with wrong clocks agree. */
  now(): Date;
  /** Resolves after so long, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A number from 0 up to 1. */
export type Random = () => number;

/**
 * `changes`: what differs, and the rows that are named. `full`: every row. `keys`: the rows that are named, and no other.
 * `baseline` takes every row as sent, and sends none: the destination holds them already, or is not to. `revert` undoes
 * an earlier run.
 */
export type RunKind = "changes" | "full" | "keys" | "baseline" | "revert";

export type RunStatus =
  | "queued"
  | "planning"
  | "held"
  | "sending"
  | "committing"
  | "succeeded"
  | "partial"
  | "failed"
  | "cancelled";

/** What became of a run's changes: accepted + rejected + invalid + inDoubt = planned, always. */
export interface RunCounts {
  readonly plan: PlanCounts | null;
  readonly accepted: number;
  readonly rejected: number;
  readonly invalid: number;
  /** No definite answer; of these `unsent` were never sent, because the run ended before. All are planned again. */
  readonly inDoubt: number;
  readonly unsent: number;
  /** Accepted without a request: the destination already holds exactly this record. */
  readonly alreadyThere: number;
  /** Requests to the destination. */
  readonly requests: number;
}

export interface RunFailure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** When the rest is tried again by itself. */
  readonly again_at?: string | undefined;
}

/** Why the gate holds a run. */
export interface GateReport {
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
}

/** One change that the destination refused, or that could not be sent. */
export interface Rejection {
  readonly seq: number;
  readonly rowKey: string;
  readonly kind: "rejected" | "invalid";
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** A part of a run's outcomes journal. */
export interface JournalEntry {
  /** Ranges of seq, both ends included, that are about to be sent. Written before the request goes out. */
  readonly sending: readonly (readonly [number, number])[];
  readonly outcomes: readonly OutcomeRow[];
  readonly rejections: readonly Rejection[];
  /** Jobs of the destination that were started, and are waited for. */
  readonly jobs?: readonly KeptJob[];
}

/** A job of the destination, with what its outcomes need to know. */
export interface KeptJob {
  readonly handle: string;
  readonly changes: readonly KeptChange[];
}

export interface KeptChange {
  readonly seq: number;
  readonly rowKey: string;
  readonly recordHash: string;
}

export interface RunProgress {
  readonly status: RunStatus;
  readonly counts: RunCounts;
}

export interface RunEnd extends RunProgress {
  readonly failure: RunFailure | null;
}

/**
 * The control store as a run sees it. Every write names the run's fence; a write under a fence that is no longer the
 * sync's newest throws FencedError and changes nothing.
 */
export interface RunStore {
  /**
   * Extends the lease. Tells whether a person asked to cancel. Throws FencedError when another worker took over.
   */
  renew(run: RunIdentity): Promise<{ readonly cancelRequested: boolean }>;
  progress(run: RunIdentity, progress: RunProgress): Promise<void>;
  /** Holds the run at the gate: it keeps its plan and gives its lease back. */
  hold(run: RunIdentity, report: GateReport, progress: RunProgress): Promise<void>;
  /** Appends to the journal, durably, rejections included. */
  append(run: RunIdentity, entry: JournalEntry): Promise<void>;
  /** Adds to the journal of a run whose worker was lost, under the fence of the one that settles it. */
  appendLost(lostRunId: string, by: RunIdentity, entry: JournalEntry): Promise<void>;
  /** All entries of a run's journal (any run, under any fence), oldest first. */
  journal(runId: string): AsyncIterable<JournalEntry>;
  /** Ends the run, gives its lease back, and deletes its journal unless the plan could not be settled. */
  end(run: RunIdentity, end: RunEnd, options: { readonly keepJournal: boolean }): Promise<void>;
  /**
   * Ends a run that another one has settled, under the latter's fence: its worker was lost, or could not settle it
   * itself. Deletes its journal. A run that ended already keeps its status and failure and gets the final counts.
   */
  endLost(lostRunId: string, by: RunIdentity, end: RunEnd): Promise<void>;
  /** What the last clean comparison saw, by the name of the sync's state. */
  inputs(stateName: string): Promise<InputsMark | null>;
  keepInputs(run: RunIdentity, stateName: string, mark: InputsMark | null): Promise<void>;
  /** The counts that a run last reported, for a run that is continued or recovered. Null for an unknown run. */
  counts(runId: string): Promise<RunCounts | null>;
}

/** What became of what was sent so far. */
export type SentCounts = Omit<RunCounts, "plan" | "unsent">;

/** How a large plan is sent by several workers. */
export interface Division {
  /** What the cells of the plan's rows are. */
  readonly columns: readonly Column[];
  /** Ranges of seq, both ends included. */
  readonly stretches: readonly (readonly [number, number])[];
}

/** A stretch of a divided plan that a worker sends. */
export interface Part {
  readonly run: RunIdentity;
  readonly no: number;
  /** Rises with every worker that takes the part. */
  readonly fence: number;
  /** Where to begin: after what those who had it before were about to send. */
  readonly from: number;
  readonly to: number;
  /** What those sent. */
  readonly before: SentCounts;
  /** How long it may be sent without another sign of life. */
  readonly forMs: number;
}

export interface DivisionState {
  /** Parts that nobody sends, or whose worker gave no sign of life. */
  readonly waiting: number;
  /** Parts that other workers send now. */
  readonly joined: number;
  /** Some part was begun by a worker that did not end it. */
  readonly retaken: boolean;
  /** By those who joined. */
  readonly sent: SentCounts;
}

/**
 * The parts of divided plans. The run's own worker divides and takes parts under its lease, and journals them as a run that
 * is not divided. Others take parts for as long as that lease lasts, and nobody has the sync before they have left. Throws
 * FencedError to whoever has lost the run or the part, and then has changed nothing.
 */
export interface PartStore {
  divide(run: RunIdentity, division: Division): Promise<void>;
  /** The first part that waits. Null when there is none, or the division was stopped. */
  take(run: RunIdentity, as: "owner" | "joined"): Promise<Part | null>;
  /** A sign of life of one who joined. `stopped`: nothing more is to be sent. */
  renew(part: Part, sent: SentCounts): Promise<{ readonly stopped: boolean; readonly forMs: number }>;
  /** Appends to the run's journal, durably. */
  append(part: Part, entry: JournalEntry): Promise<void>;
  /** The part was sent. */
  end(part: Part, sent: SentCounts): Promise<void>;
  /** Another worker is to go on with it. */
  giveBack(part: Part, sent: SentCounts): Promise<void>;
  /** No part is taken any more, and those who joined are told. Of a run that was not divided it does nothing. */
  stop(run: RunIdentity): Promise<void>;
  look(run: RunIdentity): Promise<DivisionState>;
}

export interface InputsMark {
  readonly token: string;
  readonly comparedAt: Date;
}

export interface RunIdentity {
  readonly id: string;
  readonly sync: string;
  readonly fence: number;
}

/** Another worker holds this sync now. Nothing more may be sent or written. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  constructor(runId: string) {
    super(`run ${runId} was taken over by another worker`);
  }
}

export type WhenNull = "skip" | "clear" | "reject";

/** `insert`: only into a record that is made now. `if_empty`: only where the record has no value yet. */
export type When = "insert" | "if_empty";

export interface FieldSpec {
  /** The destination field; dots nest (`address.city`). */
  readonly target: string;
  /** The kind of mapping (a file of `mappings/`) and its options. */
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly whenNull: WhenNull;
  /** Absent: always. */
  readonly when?: When;
}

/** A column that is looked up in the state of another sync to the same destination. */
export interface LookupSpec {
  /** What the mapping calls it. */
  readonly column: string;
  readonly by: string;
  readonly of: Pick<SyncSpec, "name" | "object" | "settings">;
}

export interface GateSpec {
  /** Hold when more than this share of state, or this many rows, would be removed. */
  readonly removed: Bound;
  /** End as failed, sending nothing more, when more than this of the sent changes are rejected. */
  readonly rejected: Bound;
  /** `withhold`: rows with a bad key are not sent, the others are. `hold`: the whole run is held. */
  readonly keys: "withhold" | "hold";
  /** Hold when more than this share of state, or this many records, would change. */
  readonly changed?: Bound;
  /** The same for single fields, of the records whose old values are kept. */
  readonly fields?: Readonly<Record<string, Bound>>;
}

/** `30%` or `500`. */
export type Bound = { readonly percent: number } | { readonly rows: number };

/** A sync, resolved: everything that a run needs to know, frozen when the run starts. */
export interface SyncSpec {
  readonly name: string;
  readonly model: ModelQuery;
  readonly object: string;
  readonly settings: ObjectSettings;
  readonly mode: Mode;
  /** Destination field → model column. */
  readonly match: Readonly<Record<string, string>>;
  readonly fields: readonly FieldSpec[];
  readonly lookups?: readonly LookupSpec[];
  /** Mirror only: what happens to the record of a row that left. `ignore` leaves it. */
  readonly removed: Removal | "ignore";
  readonly gate: GateSpec;
  /** After so many rejections a row waits until it or the mapping changes. Absent: it is tried for ever. */
  readonly retryTimes?: number;
  /** Keeps the records that were accepted, and what they replaced, in the planner's schema. */
  readonly keepValues?: boolean;
  /** Ends a run at once when the tables behind the model have not changed since the last clean run. */
  readonly skipUnchanged?: boolean;
}
