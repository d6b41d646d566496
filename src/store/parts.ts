/**
 * The parts of large plans, and who sends them. The run's own worker has them by the run's lease. Others have each for a
 * while that never outlasts that lease, so whoever takes the run over finds nobody at it.
 */
import { type Kysely, sql } from "kysely";
import type { ResolvedSync } from "../documents/resolve.ts";
import {
  type Division,
  type DivisionState,
  FencedError,
  type JournalEntry,
  type Part,
  type PartStore,
  type RunIdentity,
  type RunKind,
  type SentCounts,
} from "../sync/ports.ts";
import { nothingSent, plus } from "../sync/sent.ts";
import type { Column } from "../warehouse.ts";
import { bodyOf } from "./journal.ts";
import { fenced, heldLease } from "./leases.ts";
import { writeRejections } from "./rejections.ts";
import type { Database } from "./tables.ts";
import { storableJson } from "./text.ts";

/** A run that another worker may join. */
export interface Joinable {
  readonly identity: RunIdentity;
  readonly kind: RunKind;
  readonly spec: ResolvedSync;
  readonly columns: readonly Column[];
}

export interface Parts extends PartStore {
  /** Null when nothing of the run waits for another worker. */
  joinable(runId: string): Promise<Joinable | null>;
}

/** The parts of a control store. */
export function openParts(db: Kysely<Database>): Parts {
  return {
    divide: (run, division) => divide(db, run, division),
    take: (run, as) => take(db, run, as),
    renew: (part, sent) => renew(db, part, sent),
    append: (part, entry) => append(db, part, entry),
    end: (part, sent) => leave(db, part, sent, { ended: true }),
    giveBack: (part, sent) => leave(db, part, sent, { ended: false }),
    stop: (run) =>
      fenced(db, run, async (trx) => {
        await trx.updateTable("app.divisions").set({ stopped: true }).where("run_id", "=", run.id).execute();
      }),
    look: (run) => look(db, run),
    joinable: (runId) => joinable(db, runId),
  };
}

async function divide(db: Kysely<Database>, run: RunIdentity, { columns, stretches }: Division): Promise<void> {
  await fenced(db, run, async (trx) => {
    await trx.deleteFrom("app.divisions").where("run_id", "=", run.id).execute();
    await trx
      .insertInto("app.divisions")
      .values({ run_id: run.id, columns: storableJson(columns) })
      .execute();
    await sql`
      insert into app.parts (run_id, part_no, from_seq, to_seq, reached, sent)
      select ${run.id}, no, (stretch ->> 0)::bigint, (stretch ->> 1)::bigint, (stretch ->> 0)::bigint - 1,
        ${storableJson(nothingSent)}::jsonb
      from jsonb_array_elements(${JSON.stringify(stretches)}::jsonb) with ordinality as stretches(stretch, no)`.execute(
      trx,
    );
  });
}

/** Nobody's, or of a worker that gave no sign of life. */
const isFree = sql<boolean>`not parts.ended and (parts.expires_at is null or parts.expires_at <= now())`;

interface TakenRow {
  readonly part_no: number;
  readonly fence: string;
  readonly reached: string;
  readonly to_seq: string;
  readonly sent: SentCounts;
  readonly for_ms: number | null;
}

/** Under the lease's lock, so that nobody takes a part of a run that is being stopped. */
async function take(db: Kysely<Database>, run: RunIdentity, as: "owner" | "joined"): ReturnType<PartStore["take"]> {
  const lease = sql`(select expires_at from app.leases where sync = ${run.sync})`;
  return await fenced(db, run, async (trx) => {
    const { rows } = await sql<TakenRow>`
      update app.parts set fence = fence + 1, expires_at = ${as === "owner" ? sql`'infinity'` : lease}
      where run_id = ${run.id} and part_no = (
        select min(part_no) from app.parts join app.divisions using (run_id)
        where run_id = ${run.id} and not stopped and ${isFree}
      )
      returning part_no, fence, reached, to_seq, sent,
        case when isfinite(expires_at) then extract(epoch from expires_at - now()) * 1000 end as for_ms`.execute(trx);
    const [row] = rows;
    if (row === undefined) return null;
    return {
      run,
      no: row.part_no,
      fence: Number(row.fence),
      from: Number(row.reached) + 1,
      to: Number(row.to_seq),
      before: row.sent,
      forMs: row.for_ms === null ? Number.POSITIVE_INFINITY : Number(row.for_ms),
    };
  });
}

function isPart({ run, no, fence }: Part): ReturnType<typeof sql<boolean>> {
  return sql<boolean>`parts.run_id = ${run.id} and parts.part_no = ${no} and parts.fence = ${String(fence)} and not parts.ended`;
}

async function renew(db: Kysely<Database>, part: Part, sent: SentCounts): ReturnType<PartStore["renew"]> {
  const { rows } = await sql<{ stopped: boolean; for_ms: number }>`
    with held as (${heldLease(part.run, "shared")})
    update app.parts set expires_at = held.expires_at, sent = ${storableJson(sent)}::jsonb
    from held, app.divisions
    where ${isPart(part)} and divisions.run_id = parts.run_id
    returning stopped, extract(epoch from parts.expires_at - now()) * 1000 as for_ms`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new FencedError(part.run.id);
  return { stopped: row.stopped, forMs: Number(row.for_ms) };
}

async function append(db: Kysely<Database>, part: Part, entry: JournalEntry): Promise<void> {
  const { run } = part;
  const reached = Math.max(0, ...entry.sending.map(([, to]) => to));
  await db.transaction().execute(async (trx) => {
    const { numAffectedRows } = await sql`
      with held as (${heldLease(run, "shared")}),
      mine as (
        update app.parts set reached = greatest(reached, ${reached}) from held where ${isPart(part)} returning run_id
      )
      insert into app.journal (run_id, body) select run_id, ${bodyOf(entry)} from mine`.execute(trx);
    if (numAffectedRows === 0n) throw new FencedError(run.id);
    if (entry.rejections.length > 0) await writeRejections(trx, run, entry.rejections);
  });
}

async function leave(
  db: Kysely<Database>,
  part: Part,
  sent: SentCounts,
  { ended }: { readonly ended: boolean },
): Promise<void> {
  const { numAffectedRows } = await sql`
    with held as (${heldLease(part.run, "shared")})
    update app.parts set ended = ${ended}, expires_at = null, sent = ${storableJson(sent)}::jsonb
    from held where ${isPart(part)}`.execute(db);
  if (numAffectedRows === 0n) throw new FencedError(part.run.id);
}

async function look(db: Kysely<Database>, run: RunIdentity): Promise<DivisionState> {
  return await fenced(db, run, async (trx) => {
    const { rows } = await sql<{ waiting: number; joined: number; retaken: boolean; sent: readonly SentCounts[] }>`
      select count(*) filter (where ${isFree})::int as waiting,
        count(*) filter (where not ended and expires_at > now() and isfinite(expires_at))::int as joined,
        coalesce(bool_or(fence > 1), false) as retaken,
        coalesce(jsonb_agg(sent), '[]') as sent
      from app.parts where run_id = ${run.id}`.execute(trx);
    const { waiting = 0, joined = 0, retaken = false, sent = [] } = rows[0] ?? {};
    return { waiting, joined, retaken, sent: sent.reduce(plus, nothingSent) };
  });
}

async function joinable(db: Kysely<Database>, runId: string): Promise<Joinable | null> {
  const { rows } = await sql<Omit<Joinable, "identity"> & { sync: string; fence: string }>`
    select runs.sync, runs.kind, runs.spec, leases.fence, divisions.columns
    from app.runs join app.leases on leases.run_id = runs.id join app.divisions on divisions.run_id = runs.id
    where runs.id = ${runId} and not stopped and leases.expires_at > now()
      and exists (select from app.parts where parts.run_id = runs.id and ${isFree})`.execute(db);
  const [row] = rows;
  if (row === undefined) return null;
  const { sync: name, fence, ...joined } = row;
  return { identity: { id: runId, sync: name, fence: Number(fence) }, ...joined };
}
