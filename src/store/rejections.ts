/** The rows that a run could not deliver, each with its reason. */
import { type Kysely, sql, type Transaction } from "kysely";
import type { Rejection, RunIdentity } from "../sync/ports.ts";
import type { Page } from "./runs.ts";
import type { Database } from "./tables.ts";
import { storable } from "./text.ts";

/** Rejections with the same code and field. */
export interface Cause {
  readonly code: string;
  readonly field: string | null;
  readonly count: number;
  /** What one of them says. */
  readonly message: string;
}

export interface RejectionFilter {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly code?: string | undefined;
}

export interface Rejections {
  /** A run's rejections, in the order of its plan. */
  list(runId: string, filter: RejectionFilter): Promise<Page<Rejection>>;
  /** How many a run has of each cause, most first. */
  causes(runId: string): Promise<readonly Cause[]>;
}

/** The rejections of a control store. */
export function openRejections(db: Kysely<Database>): Rejections {
  return { list: (runId, filter) => list(db, runId, filter), causes: (runId) => causes(db, runId) };
}

async function list(
  db: Kysely<Database>,
  runId: string,
  { limit, cursor, code }: RejectionFilter,
): Promise<Page<Rejection>> {
  let query = db
    .selectFrom("app.rejections")
    .select(["seq", "row_key", "kind", "code", "message", "field"])
    .where("run_id", "=", runId)
    .orderBy("seq")
    .limit(limit + 1);
  // A cursor is a number of a plan; any other text finds nothing more.
  if (cursor !== undefined) query = query.where("seq", ">", /^\d{1,15}$/.test(cursor) ? cursor : "999999999999999");
  if (code !== undefined) query = query.where("code", "=", code);
  const rows = await query.execute();
  const data = rows.slice(0, limit).map(({ seq, row_key, field, ...rest }) => ({
    seq: Number(seq),
    rowKey: row_key,
    ...rest,
    ...(field === null ? {} : { field }),
  }));
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last ? String(last.seq) : null };
}

async function causes(db: Kysely<Database>, runId: string): Promise<readonly Cause[]> {
  return db
    .selectFrom("app.rejections")
    .select(["code", "field", sql<number>`count(*)::int`.as("count"), sql<string>`min(message)`.as("message")])
    .where("run_id", "=", runId)
    .groupBy(["code", "field"])
    .orderBy("count", "desc")
    .orderBy("code")
    .execute();
}

/** Stores rejections. Of one change the first stands. */
export async function writeRejections(
  trx: Transaction<Database>,
  run: Pick<RunIdentity, "id" | "sync">,
  rejections: readonly Rejection[],
): Promise<void> {
  if (rejections.length === 0) return;
  const column = (pick: (rejection: Rejection) => string | undefined): (string | null)[] =>
    rejections.map((rejection) => {
      const text = pick(rejection);
      return text === undefined ? null : storable(text);
    });
  // Columns, not rows: the number of parameters stays the same, however many there are.
  await sql`
    insert into app.rejections (run_id, sync, seq, row_key, kind, code, message, field)
    select ${run.id}, ${run.sync}, *
    from unnest(
      ${rejections.map(({ seq }) => seq)}::bigint[],
      ${column(({ rowKey }) => rowKey)}::text[],
      ${column(({ kind }) => kind)}::text[],
      ${column(({ code }) => code)}::text[],
      ${column(({ message }) => message)}::text[],
      ${column(({ field }) => field)}::text[]
    )
    on conflict do nothing`.execute(trx);
}
