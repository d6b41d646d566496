/** The control store as a run sees it: every write proves in its own transaction that the run still holds its sync. */
import { type Kysely, sql } from "kysely";
import type { JournalEntry, RunEnd, RunIdentity, RunProgress, RunStatus, RunStore } from "../sync/ports.ts";
import { deleteJournal, readEntries, writeEntry, writeEntryAlone } from "./journal.ts";
import { endLease, fenced, renewLease } from "./leases.ts";
import { forgetDoneKeys, noteAftermath, spaceOut } from "./aftermath.ts";
import { forgetKeys } from "./run-keys.ts";
import { writeRejections } from "./rejections.ts";
import type { Database } from "./tables.ts";
import { storableJson } from "./text.ts";

/** What runs write of themselves. */
export function openRunStore(db: Kysely<Database>): RunStore {
  return {
    renew: (run) => renew(db, run),
    progress: (run, progress) =>
      fenced(db, run, async (trx) => {
        await trx.updateTable("app.runs").set(stored(progress)).where("id", "=", run.id).execute();
      }),
    hold: (run, report, progress) =>
      fenced(db, run, async (trx) => {
        await trx
          .updateTable("app.runs")
          .set({
            ...stored(progress),
            // A cancellation that came while it planned: there is nobody left to tell it to.
            status: sql<RunStatus>`case when cancel_requested then 'cancelled' else 'held' end`,
            ended_at: sql<Date | null>`case when cancel_requested then now() end`,
            gate: storableJson(report),
          })
          .where("id", "=", run.id)
          .execute();
        await noteAftermath(trx, run.id);
        await endLease(trx, run);
      }),
    append: (run, entry) => append(db, run.id, run, entry),
    appendLost: (lostRunId, by, entry) => append(db, lostRunId, by, entry),
    journal: (runId) => readEntries(db, runId),
    end: (run, end, options) => endRun(db, run, end, options),
    endLost: (lostRunId, by, end) => endLost(db, lostRunId, by, end),
    inputs: async (stateName) => {
      const row = await db.selectFrom("app.inputs").selectAll().where("state", "=", stateName).executeTakeFirst();
      return row ? { token: row.token, comparedAt: row.compared_at } : null;
    },
    keepInputs: (run, stateName, mark) =>
      fenced(db, run, async (trx) => {
        await trx.deleteFrom("app.inputs").where("state", "=", stateName).execute();
        if (mark === null) return;
        const row = { state: stateName, token: mark.token, compared_at: mark.comparedAt };
        await trx.insertInto("app.inputs").values(row).execute();
      }),
    counts: async (runId) => {
      const row = await db.selectFrom("app.runs").select("counts").where("id", "=", runId).executeTakeFirst();
      return row?.counts ?? null;
    },
  };
}

async function append(db: Kysely<Database>, runId: string, by: RunIdentity, entry: JournalEntry): Promise<void> {
  if (entry.rejections.length === 0) return await writeEntryAlone(db, runId, by, entry);
  await fenced(db, by, async (trx) => {
    await writeEntry(trx, runId, entry);
    await writeRejections(trx, { id: runId, sync: by.sync }, entry.rejections);
  });
}

function stored({ status, counts }: RunProgress): { status: RunStatus; counts: string } {
  return { status, counts: storableJson(counts) };
}

async function renew(db: Kysely<Database>, run: RunIdentity): Promise<{ readonly cancelRequested: boolean }> {
  await renewLease(db, run);
  const row = await db.selectFrom("app.runs").select("cancel_requested").where("id", "=", run.id).executeTakeFirst();
  return { cancelRequested: row?.cancel_requested ?? false };
}

async function endRun(
  db: Kysely<Database>,
  run: RunIdentity,
  end: RunEnd,
  { keepJournal }: { readonly keepJournal: boolean },
): Promise<void> {
  await fenced(db, run, async (trx) => {
    const failure = await spaceOut(trx, run, end.failure);
    await trx
      .updateTable("app.runs")
      .set({
        ...stored(end),
        failure: failure && storableJson(failure),
        ended_at: sql<Date>`now()`,
      })
      .where("id", "=", run.id)
      .execute();
    await noteAftermath(trx, run.id);
    await endLease(trx, run);
    await forgetDoneKeys(trx, run.id);
    if (!keepJournal) await deleteJournal(trx, run.id);
  });
}

async function endLost(db: Kysely<Database>, lostRunId: string, by: RunIdentity, end: RunEnd): Promise<void> {
  await fenced(db, by, async (trx) => {
    const failure = end.failure && storableJson(end.failure);
    await trx
      .updateTable("app.runs")
      .set({
        counts: storableJson(end.counts),
        status: sql<RunStatus>`case when ended_at is null then ${end.status} else status end`,
        failure: sql<string | null>`case when ended_at is null then ${failure}::jsonb else failure end`,
        ended_at: sql<Date>`coalesce(ended_at, now())`,
      })
      .where("id", "=", lostRunId)
      .where("sync", "=", by.sync)
      .execute();
    await noteAftermath(trx, lostRunId);
    await deleteJournal(trx, lostRunId);
    await forgetKeys(trx, lostRunId);
  });
}
