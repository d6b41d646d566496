/** Syncs that run because others have. */
import type { Kysely } from "kysely";
import type { Run } from "./run.ts";
import { createRun, type RunRequest } from "./runs.ts";
import type { Database } from "./tables.ts";

export interface Sequel {
  readonly sync: string;
  /** The run that it follows. */
  readonly afterRun: string;
}

export interface Sequels {
  /** The syncs that are to run now because another has ended. */
  due(): Promise<readonly Sequel[]>;
  /** Asks for the run of a sequel, in one transaction with its end. Null when another process has done so. */
  take(sequel: Sequel, request: RunRequest): Promise<Run | null>;
  /** Forgets a sequel that cannot be: its sync was deleted. */
  drop(sequel: Sequel): Promise<void>;
}

/** The sequels of a control store. */
export function openSequels(db: Kysely<Database>): Sequels {
  return {
    due: async () => {
      const rows = await db.selectFrom("app.sequels").selectAll().orderBy("at").orderBy("sync").execute();
      return rows.map(({ sync, after_run: afterRun }) => ({ sync, afterRun }));
    },
    take: (sequel, request) =>
      db.transaction().execute(async (trx) => {
        const taken = await remove(trx, sequel);
        return taken ? await createRun(trx, { ...request, behindHeld: true }) : null;
      }),
    drop: async (sequel) => {
      await remove(db, sequel);
    },
  };
}

async function remove(db: Kysely<Database>, { sync, afterRun }: Sequel): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("app.sequels")
    .where("sync", "=", sync)
    .where("after_run", "=", afterRun)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
