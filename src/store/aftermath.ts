/**
 * What follows from what a run has come to: others are told, other syncs run. It is noted in the transaction in which
 * the run comes to that, so whatever dies afterwards, it follows.
 */
import { sql, type Transaction } from "kysely";
import type { Database } from "./tables.ts";

/** Notes what follows from a run that has just ended or is held now. Twice is as good as once. */
export async function noteAftermath(trx: Transaction<Database>, runId: string): Promise<void> {
  await sql`
    insert into app.notices (notification, run_id, event, fence)
    select documents.name, runs.id, runs.status, runs.fence
    from app.runs cross join app.documents cross join lateral (select documents.body::jsonb as body) as wants
    where runs.id = ${runId} and documents.kind = 'notification' and wants.body -> 'on' ? runs.status
      and (wants.body -> 'syncs' is null or wants.body -> 'syncs' ? runs.sync)
    on conflict do nothing`.execute(trx);
  // It ended in this transaction: one that is settled later than it ended was followed when it did.
  await sql`
    insert into app.sequels (sync, after_run)
    select documents.name, runs.id
    from app.runs cross join app.documents
    where runs.id = ${runId} and runs.ended_at = now()
      and documents.kind = 'sync' and documents.body -> 'after' ->> 'sync' = runs.sync
      and (runs.status in ('succeeded', 'partial') or documents.body -> 'after' ->> 'when' = 'ended')
      and not exists (select from app.paused where paused.sync = documents.name)
    on conflict (sync) do update set after_run = excluded.after_run, at = excluded.at`.execute(trx);
}
