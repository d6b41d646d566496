/** What others are to be told of runs, and what became of each telling. */
import { type Kysely, sql } from "kysely";
import type { Database } from "./tables.ts";

export interface Notices {
  /** Takes so many that are due. Each comes again after `holdMs` unless it is settled before. */
  claim(limit: number, holdMs: number): Promise<readonly DueNotice[]>;
  /** It was taken. */
  delivered(id: string): Promise<void>;
  /** It was not taken, and comes again after `retryMs`; null gives it up. */
  failed(id: string, failure: string, retryMs: number | null): Promise<void>;
  /** Those of a notification, newest first. */
  list(notification: string, limit: number): Promise<readonly Notice[]>;
  /** Forgets those of more than a month ago. */
  prune(): Promise<void>;
}

export interface DueNotice {
  readonly id: string;
  readonly notification: string;
  readonly runId: string;
  readonly event: string;
  readonly at: Date;
  /** This one included. */
  readonly attempts: number;
}

export interface Notice extends DueNotice {
  /** Null: delivered, or given up. */
  readonly dueAt: Date | null;
  readonly deliveredAt: Date | null;
  readonly failure: string | null;
}

/** The notices of a control store. */
export function openNotices(db: Kysely<Database>): Notices {
  return {
    claim: (limit, holdMs) => claim(db, limit, holdMs),
    delivered: async (id) => {
      const settled = { due_at: null, delivered_at: sql<Date>`now()`, failure: null };
      await db.updateTable("app.notices").set(settled).where("id", "=", id).execute();
    },
    failed: async (id, failure, retryMs) => {
      const dueAt = retryMs === null ? null : sql<Date>`now() + ${retryMs} * interval '1 millisecond'`;
      await db.updateTable("app.notices").set({ failure, due_at: dueAt }).where("id", "=", id).execute();
    },
    list: async (notification, limit) => {
      const rows = await db
        .selectFrom("app.notices")
        .selectAll()
        .where("notification", "=", notification)
        .orderBy("at", "desc")
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        ...toDue(row),
        dueAt: row.due_at,
        deliveredAt: row.delivered_at,
        failure: row.failure,
      }));
    },
    prune: async () => {
      await sql`delete from app.notices where at < now() - interval '30 days'`.execute(db);
    },
  };
}

async function claim(db: Kysely<Database>, limit: number, holdMs: number): Promise<readonly DueNotice[]> {
  const rows = await db
    .updateTable("app.notices")
    .set({
      attempts: sql<number>`attempts + 1`,
      due_at: sql<Date>`now() + ${holdMs} * interval '1 millisecond'`,
    })
    .where("id", "in", (query) =>
      query
        .selectFrom("app.notices")
        .select("id")
        .where("due_at", "<=", sql<Date>`now()`)
        .orderBy("due_at")
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .execute();
  return rows.map(toDue);
}

function toDue(row: {
  id: string;
  notification: string;
  run_id: string;
  event: string;
  at: Date;
  attempts: number;
}): DueNotice {
  const { id, notification, run_id: runId, event, at, attempts } = row;
  return { id, notification, runId, event, at, attempts };
}
