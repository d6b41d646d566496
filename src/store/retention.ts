/** What the control store keeps of the past, so that it does not grow for ever. */
import { type Kysely, sql } from "kysely";
import type { Database } from "./tables.ts";

/** Rejections name rows of people's: they are kept no longer than they are of use. */
const rejectionDays = 30;

/** However old, so many runs of each sync are kept. */
const keptRuns = 20;

/** So much is deleted in one statement: others are not to wait for it. */
const atATime = 1000;

export interface Retention {
  /**
   * Forgets runs that ended so many days ago, with all that belongs to them, and rejections of more than thirty days. The
   * last runs of each sync stay, the rejections of its last one, and whatever is not settled.
   */
  prune(keepDays: number): Promise<void>;
}

export function openRetention(db: Kysely<Database>): Retention {
  const forgetRuns = (days: number): Promise<number> =>
    deleted(
      db,
      sql`delete from app.runs where id in (
        select id from app.runs old
        where ended_at < now() - ${days} * interval '1 day'
          and id < (select id from app.runs newer where newer.sync = old.sync order by id desc
            offset ${keptRuns - 1} limit 1)
          and not exists (select from app.journal where journal.run_id = old.id)
          and not exists (select from app.sequels where sequels.after_run = old.id)
        limit ${atATime}) returning 1`,
    );
  const forgetRejections = (days: number): Promise<number> =>
    deleted(
      db,
      sql`delete from app.rejections where (run_id, seq) in (
        select run_id, seq from app.rejections old
        where at < now() - ${days} * interval '1 day'
          and run_id <> (select id from app.runs last where last.sync = old.sync order by id desc limit 1)
        limit ${atATime}) returning 1`,
    );
  return {
    prune: async (keepDays) => {
      while ((await forgetRejections(Math.min(rejectionDays, keepDays))) === atATime);
      while ((await forgetRuns(keepDays)) === atATime);
    },
  };
}

async function deleted(db: Kysely<Database>, statement: ReturnType<typeof sql>): Promise<number> {
  return (await statement.execute(db)).rows.length;
}
