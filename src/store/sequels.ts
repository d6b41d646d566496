/** Syncs that are to run because of how a run ended. */
import { type Kysely, sql } from "kysely";
import type { RunKind } from "../sync/ports.ts";
import type { Run } from "./run.ts";
import { forgetKeys, keysOf } from "./run-keys.ts";
import { createRun, type RunRequest } from "./runs.ts";
import type { Database } from "./tables.ts";

export interface Sequel {
  readonly sync: string;
  readonly afterRun: string;
  /** `after`: it follows a run of another sync. `again`: its own run was cut short by what may have passed. */
  readonly reason: "after" | "again";
  readonly kind: RunKind;
}

export interface Sequels {
  /** The syncs that are to run now. */
  due(): Promise<readonly Sequel[]>;
  /**
   * Asks for the run of a sequel, with what was named for it, in one transaction with the sequel's end. Null when
   * another process has done so.
   */
  take(sequel: Sequel, request: Omit<RunRequest, "kind" | "keys">): Promise<Run | null>;
  /** Forgets a sequel that cannot be: its sync was deleted. */
  drop(sequel: Sequel): Promise<void>;
}

/** The sequels of a control store. */
export function openSequels(db: Kysely<Database>): Sequels {
  return {
    due: async () => {
      const rows = await db
        .selectFrom("app.sequels")
        .selectAll()
        .where("due_at", "<=", sql<Date>`now()`)
        .orderBy("due_at")
        .orderBy("sync")
        .execute();
      return rows.map(({ sync, after_run: afterRun, reason, kind }) => ({ sync, afterRun, reason, kind }));
    },
    take: (sequel, request) =>
      db.transaction().execute(async (trx) => {
        if (!(await remove(trx, sequel))) return null;
        const { kind, reason, afterRun } = sequel;
        if (reason === "after") return await createRun(trx, { ...request, kind, behindHeld: true });
        const keys = await keysOf(trx, afterRun);
        await forgetKeys(trx, afterRun);
        return await createRun(trx, { ...request, kind, keys, behindHeld: true });
      }),
    drop: async (sequel) => {
      await remove(db, sequel);
    },
  };
}

async function remove(db: Kysely<Database>, { sync, reason, afterRun }: Sequel): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("app.sequels")
    .where("sync", "=", sync)
    .where("reason", "=", reason)
    .where("after_run", "=", afterRun)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
