/**
 * What follows from what a run has come to: others are told, other syncs run. It is noted in the transaction in which
 * the run comes to that, so whatever dies afterwards, it follows.
 */
import { sql, type Transaction } from "kysely";
import type { RunFailure, RunIdentity } from "../sync/ports.ts";
import { forgetKeys } from "./run-keys.ts";
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
    insert into app.sequels (sync, reason, after_run, kind)
    select documents.name, 'after', runs.id, 'changes'
    from app.runs cross join app.documents
    where runs.id = ${runId} and runs.ended_at = now()
      and documents.kind = 'sync' and documents.body -> 'after' ->> 'sync' = runs.sync
      and (runs.status in ('succeeded', 'partial') or documents.body -> 'after' ->> 'when' = 'ended')
      and not exists (select from app.paused where paused.sync = documents.name)
    on conflict (sync, reason) do update set after_run = excluded.after_run, due_at = excluded.due_at`.execute(trx);
  await noteAgain(trx, runId);
}

/** A run that is to be tried again by itself keeps what it was to do; one that did what others were to, spares them. */
async function noteAgain(trx: Transaction<Database>, runId: string): Promise<void> {
  await sql`
    delete from app.sequels using app.runs
    where runs.id = ${runId} and runs.ended_at = now() and runs.status in ('succeeded', 'partial')
      and sequels.sync = runs.sync and sequels.reason = 'again'
      and (runs.kind = 'full' or runs.kind = 'changes' and sequels.kind = 'changes')`.execute(trx);
  await sql`
    insert into app.sequels (sync, reason, after_run, kind, due_at)
    select sync, 'again', id, kind, (failure ->> 'again_at')::timestamptz
    from app.runs where id = ${runId} and ended_at = now() and failure ->> 'again_at' is not null
      and kind <> 'revert'
    on conflict (sync, reason) do update set due_at = excluded.due_at,
      kind = case when 'full' in (excluded.kind, sequels.kind) then 'full'
        when 'changes' in (excluded.kind, sequels.kind) then 'changes' else 'keys' end`.execute(trx);
  // What was named for it goes with what waits already.
  await sql`
    insert into app.run_keys (run_id, key)
    select sequels.after_run, run_keys.key
    from app.runs join app.sequels on sequels.sync = runs.sync and sequels.reason = 'again'
      join app.run_keys on run_keys.run_id = runs.id
    where runs.id = ${runId} and runs.ended_at = now() and runs.failure ->> 'again_at' is not null
    on conflict do nothing`.execute(trx);
}

/** Forgets what was named for a run that has ended, unless it waits to be tried again. */
export async function forgetDoneKeys(trx: Transaction<Database>, runId: string): Promise<void> {
  const waits = await trx
    .selectFrom("app.sequels")
    .select("sync")
    .where("after_run", "=", runId)
    .where("reason", "=", "again")
    .executeTakeFirst();
  if (!waits) await forgetKeys(trx, runId);
}

const shortMs = 61_000;
const mostTimes = 15;

/**
 * How a run failed, where it is to be tried again by itself: each time in a row after twice as long, up to a quarter of
 * an hour. A longer wait is one that the destination asked for, and stays.
 */
export async function spaceOut(
  trx: Transaction<Database>,
  { id, sync: name }: RunIdentity,
  failure: RunFailure | null,
): Promise<RunFailure | null> {
  if (failure?.again_at === undefined) return failure;
  const { rows } = await sql<{ now: Date; failures: number }>`
    select now(), (
      select count(*)::int from app.runs
      where sync = ${name} and id <> ${id} and status = 'failed' and id > coalesce(
        (select max(id) from app.runs where sync = ${name} and status in ('succeeded', 'partial')), '')
    ) as failures`.execute(trx);
  const { now, failures = 0 } = rows[0] ?? {};
  if (now === undefined) return failure;
  const waitMs = Date.parse(failure.again_at) - now.getTime();
  if (waitMs > shortMs) return failure;
  const times = Math.min(mostTimes, 2 ** Math.min(failures, 10));
  return { ...failure, again_at: new Date(now.getTime() + waitMs * times).toISOString() };
}
