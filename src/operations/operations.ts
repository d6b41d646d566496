/**
 * What a person can ask of Sluice. The command and the API are thin faces over this interface; the service implements
 * it in place, and the command's `--url` implements it by asking a running service over HTTP.
 *
 * Names in the views are those that `--json` and REST print, hence in snake case.
 */
import type { Field, Mode, ObjectSettings, Removal, Value } from "../destination.ts";
import type { Kind } from "../documents/documents.ts";
import type { Scope } from "../security/key.ts";
import type { GateReport, RunFailure, RunKind, RunStatus } from "../sync/ports.ts";

export interface Operations {
  /** Checks documents and makes the store hold them: creates, replaces and, with `prune`, deletes. All or nothing. */
  apply(documents: readonly unknown[], options: ApplyOptions): Promise<ApplyView>;
  /** Tries a source's or a destination's connection; sends a test to a notification's receiver. */
  check(name: string): Promise<CheckView>;
  /** The SQL that a source's owner runs so that its role has what it needs, and no more. */
  grants(source: string): Promise<GrantsView>;
  /** A destination's objects, or one object's abilities and fields. */
  describe(destination: string, object: string | undefined, settings: ObjectSettings): Promise<DescribeView>;
  /** What a run would do now. Sends nothing, changes nothing. */
  plan(sync: string, options: { full: boolean; limit: number }): Promise<PlanView>;
  /**
   * Asks for a run. Asks that come before it begins are one run. Rows that are named by their keys are sent even if
   * nothing about them changed; a run of kind `keys` reads and sends no others.
   */
  startRun(sync: string, options: StartOptions): Promise<RunView>;
  /** Resolves when the run has ended or is held. */
  waitForRun(id: string, options: { onProgress?: (run: RunView) => void; signal?: AbortSignal }): Promise<RunView>;
  run(id: string): Promise<RunView>;
  runs(filter: { sync?: string | undefined; limit: number; cursor?: string | undefined }): Promise<Page<RunView>>;
  rejections(runId: string, filter: { limit: number; cursor?: string | undefined }): Promise<RejectionsView>;
  /** Stops a run at the next batch, or drops it if it is queued or held. */
  cancel(id: string): Promise<RunView>;
  /** Lets a held run go on with the plan that it has. */
  release(id: string): Promise<RunView>;
  status(): Promise<readonly StatusView[]>;
  /** Makes an API key. The answer has its text, which is nowhere else. */
  createKey(request: NewKeyRequest): Promise<MadeKeyView>;
  /** All API keys, newest first. */
  keys(): Promise<readonly KeyView[]>;
  /** Ends a key's life at once. */
  revokeKey(id: string): Promise<KeyView>;
  /** What was changed or refused over the API, newest first. */
  audit(filter: { limit: number; cursor?: string | undefined }): Promise<Page<AuditView>>;
  /** The triggers, and where their webhooks are called. */
  triggers(): Promise<readonly TriggerView[]>;
  /** What became of the messages of a notification, newest first. */
  notices(notification: string, limit: number): Promise<readonly NoticeView[]>;
}

/** The documents one by one, as RevOps edit them over REST. */
export interface DocumentOperations {
  /** The documents of one kind, by name. */
  list(kind: Kind): Promise<readonly DocumentView[]>;
  /** One document, as it is now. */
  get(kind: Kind, name: string): Promise<DocumentView>;
  /** Creates or replaces a document. */
  put(kind: Kind, name: string, body: unknown, options: ChangeOptions): Promise<DocumentView>;
  /** Changes a part of a document: a JSON merge patch (RFC 7396). */
  patch(kind: Kind, name: string, patch: unknown, options: ChangeOptions): Promise<DocumentView>;
  /** Deletes a document that no other needs. */
  delete(kind: Kind, name: string, options: ChangeOptions): Promise<void>;
  /** All that a document ever was, newest first, each with what changed. */
  versions(kind: Kind, name: string): Promise<readonly DocumentVersionView[]>;
  /** Makes a document what it was at a version. */
  restore(kind: Kind, name: string, version: number, options: ChangeOptions): Promise<DocumentView>;
}

export interface NewKeyRequest {
  readonly name: string;
  readonly scope: Scope;
  /** Days until it expires; null for never. */
  readonly days: number | null;
  readonly createdBy: string;
}

export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
  /** Neither revoked nor expired. */
  readonly valid: boolean;
  readonly created_by: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
}

export interface MadeKeyView extends KeyView {
  readonly key: string;
}

export interface AuditView {
  readonly at: string;
  /** The key's id and name; "anyone" while there were no keys, "nobody" for who was not known. */
  readonly actor: string;
  readonly address: string;
  readonly action: string;
  readonly status: number;
  readonly detail: unknown;
}

export interface TriggerView {
  readonly trigger: string;
  readonly sync: string;
  readonly scheme: string;
  readonly run: RunKind;
  /** Where the payload has the keys of the rows to send. */
  readonly keys: string | null;
  /** The address below the service's own. It is a part of the secret: only who may call it should know it. */
  readonly path: string;
}

export interface NoticeView {
  /** `webhook-id`, the same for every attempt. */
  readonly id: string;
  readonly run: string;
  /** What the run had come to. */
  readonly event: string;
  readonly at: string;
  readonly attempts: number;
  readonly status: "waiting" | "delivered" | "given_up";
  readonly delivered_at: string | null;
  readonly next_attempt_at: string | null;
  /** Why the last attempt failed. */
  readonly failure: string | null;
}

export interface StartOptions {
  readonly kind: RunKind;
  readonly trigger: string;
  /** Each as a value, or of several key columns a list of values, or the row key that rejections show. */
  readonly keys?: readonly GivenKey[] | undefined;
}

/** A row's key as people and programs give it. */
export type GivenKey = KeyValue | readonly KeyValue[];

type KeyValue = string | number | boolean;

export interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_cursor: string | null;
}

export interface ApplyOptions {
  readonly prune: boolean;
  readonly dryRun: boolean;
  readonly author: string;
}

export interface ApplyView {
  readonly changes: readonly {
    readonly kind: string;
    readonly name: string;
    readonly change: "created" | "replaced" | "deleted";
  }[];
  readonly unchanged: number;
  readonly dry_run: boolean;
}

export interface ChangeOptions {
  /** Only if this is the document's version now; 0 when there must be none. */
  readonly ifVersion?: number | undefined;
  /** Also if the document is kept in files, which then differ from it. */
  readonly override?: boolean | undefined;
  readonly author: string;
}

export interface DocumentView {
  readonly kind: Kind;
  readonly name: string;
  /** 1, then one more with every change. */
  readonly version: number;
  /** `files`: it came with `sluice apply`, and is to be edited there. */
  readonly managed_by: "files" | "api";
  readonly updated_at: string;
  /** As it was written; secrets that were written out are masked. */
  readonly document: Readonly<Record<string, unknown>>;
}

export interface DocumentVersionView {
  readonly version: number;
  readonly author: string;
  readonly at: string;
  readonly deleted: boolean;
  /** Against the version before, by JSON pointer; null stands for what is not there. */
  readonly changes: readonly { readonly pointer: string; readonly before: unknown; readonly after: unknown }[];
}

export interface CheckView {
  readonly name: string;
  readonly kind: "source" | "destination" | "notification";
  readonly ok: true;
  /** What a person should see of the account. */
  readonly account: string;
}

export interface GrantsView {
  readonly source: string;
  readonly sql: string;
}

export type DescribeView =
  | { readonly objects: readonly { readonly name: string; readonly title: string }[] }
  | {
      readonly object: string;
      readonly title: string;
      readonly modes: readonly Mode[];
      readonly removals: readonly Removal[];
      readonly batch: { readonly records: number; readonly bytes?: number };
      readonly fields: readonly Field[];
    };

export interface PlannedCounts {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Rows withheld because their key is null or not unique, or another row has the same match values. */
  readonly faulty_keys: number;
}

export interface RunView {
  readonly run: string;
  readonly sync: string;
  readonly kind: RunKind;
  readonly trigger: string;
  readonly status: RunStatus;
  readonly planned: PlannedCounts | null;
  readonly unchanged: number;
  /** Rows that differ, but were rejected lately and wait for their back-off. */
  readonly waiting: number;
  /** Keys that were named, and that neither the model nor the destination has a row of. */
  readonly not_found: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly invalid: number;
  readonly in_doubt: number;
  /** Of `in_doubt`: never sent, because the run ended before. */
  readonly unsent: number;
  /** Of `accepted`: the destination held that very record already, so nothing was sent. */
  readonly already_there: number;
  readonly requests: number;
  readonly seconds: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly failure: RunFailure | null;
  readonly gate: GateReport | null;
}

export interface RejectionView {
  readonly row_key: string;
  readonly kind: "rejected" | "invalid";
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
}

export interface RejectionsView extends Page<RejectionView> {
  /** How many there are of each cause, most first. */
  readonly causes: readonly {
    readonly code: string;
    readonly field: string | null;
    readonly count: number;
    readonly message: string;
  }[];
}

export interface PlanView {
  readonly sync: string;
  readonly planned: PlannedCounts;
  readonly unchanged: number;
  readonly waiting: number;
  /** Why a run would be held, if it would. */
  readonly gate: GateReport | null;
  readonly sample: readonly PlannedChangeView[];
  /** Of the sampled changes, how many have a value that does not fit. */
  readonly sample_invalid: number;
  /** At most this many requests, if every batch is accepted at once. */
  readonly batches: number;
}

export interface PlannedChangeView {
  readonly row_key: string;
  readonly change: string;
  readonly match: Readonly<Record<string, Value>>;
  readonly record: Readonly<Record<string, Value>> | null;
  readonly destination_id: string | null;
  /** Why it will not be sent, if it will not. */
  readonly problem: { readonly code: string; readonly message: string; readonly field: string | null } | null;
}

export interface StatusView {
  readonly sync: string;
  readonly from: string;
  readonly to: string;
  readonly schedule: string | null;
  readonly last_run: RunView | null;
}
