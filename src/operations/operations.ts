/**
 * What a person can ask of Sluice. The command and the API are thin faces over this interface; the service implements
 * it in place, and the command's `--url` implements it by asking a running service over HTTP.
 */
import type { ObjectSettings } from "../destination.ts";
import type { Kind } from "../documents/documents.ts";
import type { Scope } from "../security/key.ts";
import type { RunKind } from "../sync/ports.ts";
import type { Filter } from "../warehouse.ts";
import type {
  ExchangeView,
  PlanView,
  RejectionsView,
  RevertView,
  RunView,
  StatusView,
  DbtRanView,
  PreviewView,
} from "./run-schemas.ts";
import type {
  ApplyView,
  AuditView,
  CheckView,
  DescribeView,
  DocumentVersionView,
  DocumentView,
  GrantsView,
  KeyView,
  MadeKeyView,
  NoticeView,
  SecretView,
  TriggerView,
  ColumnView,
  MappingView,
  SampleView,
  SuggestionView,
  TypeView,
} from "./schemas.ts";

export interface Operations {
  /** Checks documents and makes the store hold them: creates, replaces and, with `prune`, deletes. All or nothing. */
  apply(documents: readonly unknown[], options: ApplyOptions): Promise<ApplyView>;
  /** All documents, as they are now. */
  workspace(): Promise<readonly DocumentView[]>;
  /** Tries a source's or a destination's connection; sends a test to a notification's receiver. */
  check(name: string): Promise<CheckView>;
  /** The SQL that a source's owner runs so that its role has what it needs, and no more. */
  grants(source: string): Promise<GrantsView>;
  /** A destination's objects, or one object's abilities and fields. */
  describe(destination: string, object: string | undefined, settings: ObjectSettings): Promise<DescribeView>;
  destinationTypes(): Promise<readonly TypeView[]>;
  sourceTypes(): Promise<readonly TypeView[]>;
  /** The columns of a model, as the warehouse has them now. */
  modelColumns(model: string): Promise<readonly ColumnView[]>;
  /** The first rows of a model, and how many there are. */
  sampleModel(model: string, options: SampleOptions): Promise<SampleView>;
  sampleSegment(segment: string, limit: number): Promise<SampleView>;
  /** Fields of the destination and columns of the model that have the same name, and are not mapped yet. */
  suggestMapping(sync: string): Promise<SuggestionView>;
  /** What the first rows become, by the sync's mapping or by a draft of it. Sends nothing, changes nothing. */
  preview(sync: string, options: PreviewOptions): Promise<PreviewView>;
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
  /** A few of a run's requests, without values. */
  requests(runId: string, filter: { limit: number; cursor?: string | undefined }): Promise<Page<ExchangeView>>;
  /** What undoing a run would do now. Sends nothing. */
  previewRevert(id: string, options: { limit: number }): Promise<RevertView>;
  /** Undoes a run: its records go back to what was there before. The sync is paused. */
  revert(id: string, author: string): Promise<RunView>;
  /** Stops a run at the next batch, or drops it if it is queued or held. */
  cancel(id: string): Promise<RunView>;
  /** Lets a held run go on with the plan that it has. */
  release(id: string): Promise<RunView>;
  status(): Promise<readonly StatusView[]>;
  /** No run of the sync begins until it is resumed. One that is under way goes on. */
  pause(sync: string, author: string): Promise<StatusView>;
  /** Runs begin again, and first the one that was asked for meanwhile. Times that passed are not made up for. */
  resume(sync: string): Promise<StatusView>;
  /** Asks for runs of the syncs whose models dbt has rebuilt, as its run_results.json tells. */
  dbtRan(results: readonly DbtResult[]): Promise<readonly DbtRanView[]>;
  /** Makes an API key. The answer has its text, which is nowhere else. */
  createKey(request: NewKeyRequest): Promise<MadeKeyView>;
  /** All API keys, newest first. */
  keys(): Promise<readonly KeyView[]>;
  /** Ends a key's life at once. */
  revokeKey(id: string): Promise<KeyView>;
  /** Stores a secret that documents name as ${secret:NAME}, or replaces it. */
  setSecret(name: string, value: string, author: string): Promise<SecretView>;
  /** All secrets, by name; never what they say. */
  secrets(): Promise<readonly SecretView[]>;
  /** Deletes a secret that no document names. */
  deleteSecret(name: string): Promise<void>;
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

/** A sync's mapping by itself: match and fields. */
export interface MappingOperations {
  get(sync: string): Promise<MappingView>;
  /** Replaces the mapping; the rest of the sync stays. */
  put(sync: string, mapping: Mapping, options: ChangeOptions): Promise<MappingView>;
  /** The versions of the sync that changed its mapping, newest first. */
  versions(sync: string): Promise<readonly DocumentVersionView[]>;
  /** Makes the mapping what it was at a version. */
  restore(sync: string, version: number, options: ChangeOptions): Promise<MappingView>;
}

/** As the sync's document has them. They are checked with it. */
export interface Mapping {
  readonly match: unknown;
  readonly fields: unknown;
}

export interface NewKeyRequest {
  readonly name: string;
  readonly scope: Scope;
  /** Days until it expires; null for never. */
  readonly days: number | null;
  readonly createdBy: string;
}

/** One of `results` in dbt's run_results.json. */
export interface DbtResult {
  readonly unique_id: string;
  readonly status: string;
  /** dbt 1.7 and later tell it. */
  readonly relation_name?: string | null | undefined;
}

export interface SampleOptions {
  readonly limit: number;
  /** In place of a segment's: one that need not be saved. */
  readonly filter?: Filter | undefined;
}

export interface PreviewOptions {
  readonly limit: number;
  /** A JSON merge patch for the sync's document, or the whole document of a sync that there is not yet. */
  readonly draft?: Readonly<Record<string, unknown>> | undefined;
}

export interface StartOptions {
  readonly kind: Exclude<RunKind, "revert">;
  readonly trigger: string;
  /** Each as a value, or of several key columns a list of values, or the row key that rejections show. */
  readonly keys?: readonly GivenKey[] | undefined;
  /** The same ask under the same key, by the same actor, is the same run. */
  readonly once?: { readonly key: string; readonly actor: string } | undefined;
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
  /** What its author may do. Default: everything. */
  readonly scope?: Scope | undefined;
}

export interface ChangeOptions {
  /** Only if this is the document's version now; 0 when there must be none. */
  readonly ifVersion?: number | undefined;
  /** Also if the document is kept in files, which then differ from it. */
  readonly override?: boolean | undefined;
  readonly author: string;
  /** What its author may do. Default: everything. */
  readonly scope?: Scope | undefined;
}
