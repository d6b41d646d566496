/** The control store's tables, as Kysely sees them. The migrations make them. */
import type { ColumnType, Generated, JSONColumnType } from "kysely";
import type { ResolvedSync } from "../documents/resolve.ts";
import type { Scope } from "../security/key.ts";
import type { GateReport, RunCounts, RunFailure, RunKind, RunStatus, SentCounts } from "../sync/ports.ts";
import type { Column } from "../warehouse.ts";

/** A number that Postgres gives as text, because it may be larger than a double holds. Ours never are. */
type BigInteger = ColumnType<string, number | string, number | string>;
type Timestamp = ColumnType<Date, Date | undefined, Date>;
type Json<Value extends object | null> = JSONColumnType<Value>;

export interface Database {
  "app.documents": DocumentsTable;
  "app.document_versions": DocumentVersionsTable;
  "app.runs": RunsTable;
  "app.leases": LeasesTable;
  "app.journal": JournalTable;
  "app.divisions": DivisionsTable;
  "app.parts": PartsTable;
  "app.rejections": RejectionsTable;
  "app.schedules": SchedulesTable;
  "app.inputs": InputsTable;
  "app.keys": KeysTable;
  "app.audit": AuditTable;
  "app.run_keys": RunKeysTable;
  "app.hooks": HooksTable;
  "app.notices": NoticesTable;
  "app.asked_once": AskedOnceTable;
  "app.paused": PausedTable;
  "app.sequels": SequelsTable;
  "app.secrets": SecretsTable;
  "app.tokens": TokensTable;
  "app.exchanges": ExchangesTable;
}

export interface DocumentsTable {
  kind: string;
  name: string;
  body: Json<Readonly<Record<string, unknown>>>;
  version: BigInteger;
  managed_by: string | null;
  updated_at: Timestamp;
}

export interface DocumentVersionsTable {
  kind: string;
  name: string;
  version: BigInteger;
  body: JSONColumnType<Readonly<Record<string, unknown>> | null, string | null, never>;
  managed_by: string | null;
  author: string;
  at: Timestamp;
}

export interface RunsTable {
  id: string;
  sync: string;
  kind: RunKind;
  trigger: string;
  status: RunStatus;
  released: Generated<boolean>;
  cancel_requested: Generated<boolean>;
  counts: Json<RunCounts>;
  failure: JSONColumnType<RunFailure | null, string | null, string | null>;
  gate: JSONColumnType<GateReport | null, string | null, string | null>;
  spec: Json<ResolvedSync>;
  fence: ColumnType<string, number | undefined, number>;
  worker: string | null;
  named: Generated<number>;
  reverts: ColumnType<string | null, string | null | undefined, never>;
  asks: Generated<number>;
  created_at: Timestamp;
  started_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  ended_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
}

export interface LeasesTable {
  sync: string;
  fence: BigInteger;
  run_id: string | null;
  worker: string | null;
  lease_ms: number | null;
  expires_at: Date | null;
}

export interface JournalTable {
  run_id: string;
  entry_no: ColumnType<string, never, never>;
  body: Buffer;
}

export interface DivisionsTable {
  run_id: string;
  columns: Json<readonly Column[]>;
  stopped: Generated<boolean>;
}

export interface PartsTable {
  run_id: string;
  part_no: number;
  from_seq: BigInteger;
  to_seq: BigInteger;
  reached: BigInteger;
  fence: ColumnType<string, never, number | string>;
  expires_at: Date | null;
  ended: Generated<boolean>;
  sent: Json<SentCounts>;
}

export interface RejectionsTable {
  run_id: string;
  seq: BigInteger;
  sync: string;
  row_key: string;
  kind: "rejected" | "invalid";
  code: string;
  message: string;
  field: string | null;
  at: Timestamp;
}

export interface InputsTable {
  state: string;
  token: string;
  compared_at: Date;
}

export interface KeysTable {
  id: string;
  name: string;
  scope: Scope;
  hash: string;
  created_by: string;
  created_at: Timestamp;
  expires_at: Date | null;
  revoked_at: ColumnType<Date | null, never, Date>;
  last_used_at: ColumnType<Date | null, never, Date>;
}

export interface AuditTable {
  entry_no: ColumnType<string, never, never>;
  at: Timestamp;
  actor: string;
  address: string;
  action: string;
  status: number;
  detail: ColumnType<unknown, string | null, never>;
}

export interface HooksTable {
  trigger: string;
  id: string;
}

export interface PausedTable {
  sync: string;
  author: string;
  at: Timestamp;
}

export interface SequelsTable {
  sync: string;
  after_run: string;
  reason: "after" | "again";
  kind: RunKind;
  due_at: Timestamp;
}

export interface AskedOnceTable {
  actor: string;
  key: string;
  ask: string;
  run_id: string;
  at: Timestamp;
}

export interface NoticesTable {
  id: Generated<string>;
  notification: string;
  run_id: string;
  event: string;
  fence: BigInteger;
  at: Timestamp;
  attempts: Generated<number>;
  due_at: Date | null;
  delivered_at: Date | null;
  failure: string | null;
}

export interface RunKeysTable {
  run_id: string;
  key: string;
}

export interface SchedulesTable {
  sync: string;
  definition: Json<Readonly<Record<string, unknown>>>;
  next_at: Date;
  taken_until: Date | null;
}

export interface SecretsTable {
  name: string;
  version: Generated<number>;
  key_id: string;
  wrapped: Buffer;
  body: Buffer;
  author: string;
  updated_at: Timestamp;
}

export interface ExchangesTable {
  run_id: string;
  no: ColumnType<string, never, never>;
  at: Timestamp;
  method: string;
  path: string;
  status: number | null;
  ms: number;
  request: string | null;
  answer: string | null;
}

export interface TokensTable {
  name: string;
  version: Generated<number>;
  key_id: string | null;
  wrapped: Buffer | null;
  body: Buffer | null;
  updated_at: Timestamp;
  asker: string | null;
  asked_until: Timestamp | null;
}
