/** Syncs that do not run for now. */
import type { Kysely } from "kysely";
import type { Database } from "./tables.ts";

export interface Pauses {
  /** From now on no run of the sync begins. One that is under way goes on. */
  pause(sync: string, author: string): Promise<void>;
  /** Runs begin again; one that was asked for meanwhile waits to. */
  resume(sync: string): Promise<void>;
  /** The syncs that are paused. */
  list(): Promise<ReadonlySet<string>>;
}

/** The pauses of a control store. */
export function openPauses(db: Kysely<Database>): Pauses {
  return {
    pause: async (sync, author) => {
      await db
        .insertInto("app.paused")
        .values({ sync, author })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    resume: async (sync) => {
      await db.deleteFrom("app.paused").where("sync", "=", sync).execute();
    },
    list: async () => {
      const rows = await db.selectFrom("app.paused").select("sync").execute();
      return new Set(rows.map(({ sync }) => sync));
    },
  };
}
