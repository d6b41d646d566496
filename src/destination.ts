/**
 * CONTRACT: what a folder of `destinations/` is.
 *
 * An adapter translates changes to one vendor's API and the vendor's answers back to outcomes. It does not retry,
 * wait, log, count, batch or checkpoint: the service does, once, the same for all. The `fetch` that it is given
 * throws a classified DestinationError on 401, 403, 408, 423, 425, 429, 5xx and broken connections, so an adapter
 * sees only answers about its records.
 */
import type { Duplex } from "node:stream";
import type { ZodObject } from "zod";

/** What a folder of `destinations/` exports as `default` from its index.ts. */
export interface DestinationAdapter<Config = unknown> {
  /** The name of its folder, and the `type` of a destination in the documents. */
  readonly type: string;
  readonly title: string;
  /** What a person must give to connect. Secrets are marked with `.meta({ secret: true })`. Every adapter takes `base_url`; its `schemes` are https and http unless it has `.meta({ schemes })`. */
  readonly connection: ZodObject;
  /** The vendor's published limits on requests, for the given connection. Empty where none is published. */
  limits(config: Config): readonly RateLimit[];
  /** What the vendor says in a failure beyond its status: how long to wait, which kind it is. Undefined: nothing more. */
  failure?(response: FailedResponse): FailureHint | undefined;
  /** What the headers of an answer say is left of a limit. Absent: the vendor does not tell. */
  quotas?(headers: Headers): readonly Quota[];
  /** Where a connection leads, without credentials: what is known of one place is not held of another. Default: its `base_url`. */
  place?(config: Config): string;
  connect(config: Config, context: Context): Connection;
}

/** What is left of a limit that the vendor counts, for every program that uses the account. */
export interface Quota {
  readonly name: string;
  /** Requests in all. */
  readonly limit: number;
  readonly remaining: number;
  /** How long until the count begins anew; where the vendor does not say, until it is worth to look again. */
  readonly resetsInMs: number;
}

/** At most `requests` in any span of `perMs`. */
export interface RateLimit {
  readonly name: string;
  readonly requests: number;
  readonly perMs: number;
}

export interface Context {
  /** Like the web's `fetch`, but paced, timed out, refusing private addresses, and classified. Paths are absolute URLs. */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  /** Access tokens under a grant. The service asks for them, keeps them, and replaces them once for all who have one. */
  readonly bearer: (grant: TokenGrant) => Bearer;
  /**
   * A connection to a server that speaks another protocol than HTTP, at an address that was checked as those of `fetch`
   * are. TLS is begun, and the server proven, before it is given.
   */
  readonly dial: (server: Server, signal?: AbortSignal) => Promise<Duplex>;
  /**
   * A request in another protocol than HTTP. As those of `fetch`, it begins when it is its turn, is counted, told of, and
   * has its time: the signal that the work is given aborts when that is over, or when `signal` does.
   */
  readonly request: <Answer>(
    told: ToldRequest,
    work: (signal: AbortSignal) => Promise<Answer>,
    signal?: AbortSignal,
  ) => Promise<Answer>;
  /** The folder of this machine below which an adapter may write files, and nowhere else. It may not be there yet. */
  readonly folder: string;
}

/** A server that is not asked over HTTP. */
export interface Server {
  readonly host: string;
  readonly port: number;
  /** The port of its protocol. Those of other kinds of service are refused. */
  readonly usualPort: number;
  /** Undefined: no TLS, which only this machine is asked without, and hosts that are allowed by name. */
  readonly tls?: ServerTls | undefined;
}

export interface ServerTls {
  /** What is said before TLS begins, in protocols that ask for it. Rejects when the server will not. */
  readonly before?: (plain: Duplex, signal: AbortSignal) => Promise<void>;
}

/** What people are told of a request: as little as `insert public.accounts`. */
export interface ToldRequest {
  readonly method: string;
  readonly path: string;
}

/** How access tokens are asked for: a form that is posted to an address (RFC 6749). */
export interface TokenGrant {
  readonly url: string;
  /** The fields of the form, made anew for every token: an assertion has a time in it. */
  readonly form: () => Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The refresh token that a person was given; the service adds it to the form, or the one that the vendor gave in its
   * place since. Such a grant needs the service's secret key, for the newest refresh token exists nowhere else.
   */
  readonly refreshToken?: string | undefined;
}

/** Requests with an access token. */
export interface Bearer {
  /** Like `Context.fetch`, with the token. A token that is refused with 401 is replaced, and the request sent once more. */
  readonly fetch: Context["fetch"];
  /** What the vendor said beside the token, such as the account's own address. */
  said(signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
}

export interface FailedResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface FailureHint {
  readonly kind?: DestinationErrorKind;
  readonly retryAfterMs?: number;
  readonly code?: string;
  readonly message?: string;
}

/** A connection to one account. */
export interface Connection {
  /** Resolves if the credentials work, with what a person should see of the account. Writes nothing. */
  check(signal?: AbortSignal): Promise<{ readonly account: string }>;
  /** The objects that can be written, standard and custom. */
  objects(signal?: AbortSignal): Promise<readonly ObjectSummary[]>;
  /** One object's abilities and fields. Fails with kind `refused`, code `unknown_object`, naming those there are. */
  describe(object: string, settings: ObjectSettings, signal?: AbortSignal): Promise<ObjectDescription>;
  /**
   * Writes one batch and says what became of every change in it, by `seq`, found by the record's identity in the
   * vendor's answer and never assumed. A change that the answer does not account for is in doubt.
   * Throws a DestinationError when the batch failed as a whole.
   */
  write(batch: Batch, signal?: AbortSignal): Promise<readonly Outcome[]>;
  /**
   * Waits for a job that an earlier connection started and kept by `Batch.onJob`, and says what became of its changes, by
   * seq. What cannot be told for certain is left out. Only for adapters that start jobs.
   */
  resume?(handle: string, signal?: AbortSignal): Promise<readonly Outcome[]>;
  /**
   * The records that an upsert or update is to be written to, as they are now, by seq; null for one that is not there.
   * One that cannot be told is left out. Writes nothing. Only for objects that say `reads`.
   */
  read?(
    batch: Batch,
    fields: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, DestinationRecord | null>>;
  /**
   * Whether values of a match field that differ only in case or outer blanks find one record, as e-mail addresses do.
   * Known without asking, and the same as `Field.matching` says. Absent: they never do.
   */
  ignoresCase?(object: string, settings: ObjectSettings, field: string): boolean;
  close?(): Promise<void>;
}

/** A sync's settings for its object (`to.settings`), such as which list. Checked by the object's `settings` schema. */
export type ObjectSettings = Readonly<Record<string, unknown>>;

export interface ObjectSummary {
  readonly name: string;
  readonly title: string;
}

export interface ObjectDescription extends ObjectSummary {
  readonly modes: readonly Mode[];
  /** What can be done with a record whose row was removed. Empty: it cannot be mirrored. */
  readonly removals: readonly Removal[];
  readonly batch: BatchLimit;
  /** The most fields that a match may have. Undefined: any number. */
  readonly matchFields?: number;
  /** True: sending the same change twice leaves the same record. False: a repeated insert may make a second record. */
  readonly idempotent: Readonly<Record<Mode, boolean>>;
  readonly fields: readonly Field[];
  /** Records can be read before they are written, so that a field can be left alone (`when`). Default: no. */
  readonly reads?: boolean;
}

export interface BatchLimit {
  readonly records: number;
  /** Operations of which a batch may have another number of records. */
  readonly recordsOf?: Readonly<Partial<Record<Operation, number>>>;
  readonly bytes?: number;
  /**
   * So many batches of one run may be under way at the same time, where few would not use the vendor's rate limit because
   * each waits long for its answer. Only where the vendor takes requests side by side. Default: four.
   */
  readonly atOnce?: number;
}

export type Mode = "upsert" | "update" | "insert" | "mirror" | "append";
export type Removal = "archive" | "delete" | "clear";

export type FieldType =
  | "text"
  | "number"
  | "integer"
  | "boolean"
  | "date"
  | "datetime"
  | "enum"
  | "multi_enum"
  | "json";

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly type: FieldType;
  /** Can be written. A read-only field can still be a match key. */
  readonly writable: boolean;
  /** Its value finds at most one record. */
  readonly matches: boolean;
  readonly required?: boolean;
  /** The values that an enum takes. Undefined: any. */
  readonly options?: readonly FieldOption[];
  /** The most characters that the vendor takes. */
  readonly maxLength?: number;
  /** The vendor takes numbers as text, so every digit is kept. Else a number that a double cannot hold is invalid. */
  readonly exact?: boolean;
  /** How the vendor compares match values: `a@b.c` and `A@B.C ` are one e-mail address. */
  readonly matching?: "exact" | "case_insensitive";
}

export interface FieldOption {
  readonly value: string;
  readonly title: string;
}

/** A value for a field: text, number, boolean, list (multi_enum), JSON. Null clears the field. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
export type DestinationRecord = Readonly<Record<string, Value>>;

/** What is to be done with each change of a batch; one batch has one operation. */
export type Operation = "upsert" | "update" | "insert" | "append" | Removal;

export interface Batch {
  readonly object: string;
  readonly settings: ObjectSettings;
  readonly operation: Operation;
  /** The fields that the sync maps, also those that a record leaves out because their value is null (`when_null: skip`). */
  readonly fields: readonly string[];
  /** The fields that find a record. */
  readonly match: readonly string[];
  /** No two have the same match values. */
  readonly changes: readonly Change[];
  /** The same for every attempt at this batch, for APIs that take an idempotency key. */
  readonly id: string;
  /**
   * Keeps a job that goes on at the vendor's whoever waits for it; resolves when that is durable. An adapter calls it before it waits, so
   * that the outcomes are still learned, by `Connection.resume`, when this process dies.
   */
  readonly onJob?: (job: StartedJob) => Promise<void>;
}

/** A job that the vendor does in its own time. */
export interface StartedJob {
  /** What `resume` needs to tell the outcomes, in the adapter's own form. No values of records. */
  readonly handle: string;
  /** The changes whose outcomes it will tell. */
  readonly seqs: readonly number[];
}

export interface Change {
  readonly seq: number;
  /** Values of the match fields. For a removal: those it was last sent with. */
  readonly match: DestinationRecord;
  /** The mapped fields, match fields not included unless they are mapped too. For a removal: empty, or nulls to clear. */
  readonly record: DestinationRecord;
  /** The destination's own id of the record, where an earlier answer gave it. */
  readonly destinationId: string | undefined;
  /** The row's match values are not those it was last sent with: the record of `destinationId` is to be renamed. */
  readonly renamed: boolean;
}

export type Outcome =
  | { readonly seq: number; readonly kind: "accepted"; readonly destinationId?: string | undefined }
  /** Refused, definitely not applied: the same record would be refused again. */
  | {
      readonly seq: number;
      readonly kind: "rejected";
      readonly code: string;
      readonly message: string;
      readonly field?: string | undefined;
    }
  /** No definite answer. */
  | { readonly seq: number; readonly kind: "in_doubt"; readonly message: string };

/**
 * - `unauthorized`: the credential was refused or lacks a right. The run stops; a person is needed.
 * - `busy`: a limit or a lock; nothing was applied. The same batch again, after `retryAfterMs`.
 * - `unavailable`: the destination failed or did not answer. The same batch again, with back-off.
 * - `refused`: the request as a whole is wrong. The batch is halved until the culprit stands alone.
 */
export type DestinationErrorKind = "unauthorized" | "busy" | "unavailable" | "refused";

/** A batch, check or description failed as a whole. */
export class DestinationError extends Error {
  override readonly name = "DestinationError";
  readonly kind: DestinationErrorKind;
  readonly code: string;
  /** `no`: the destination certainly did not apply it. `unknown`: it may have. */
  readonly applied: "no" | "unknown";
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The field at fault, where the vendor names one. */
  readonly field: string | undefined;

  constructor(
    kind: DestinationErrorKind,
    message: string,
    detail: {
      code: string;
      applied: "no" | "unknown";
      status?: number | undefined;
      retryAfterMs?: number | undefined;
      field?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause });
    this.kind = kind;
    this.code = detail.code;
    this.applied = detail.applied;
    this.status = detail.status;
    this.retryAfterMs = detail.retryAfterMs;
    this.field = detail.field;
  }
}
