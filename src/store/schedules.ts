/** When scheduled syncs are due, by the database's clock. What is due next is reckoned by the caller. */
import { type Kysely, sql } from "kysely";
import { z } from "zod";
import { durationMs } from "../documents/values.ts";
import type { Schedule } from "../triggers/schedule.ts";
import type { Database } from "./tables.ts";

export interface ScheduledSync {
  readonly sync: string;
  readonly schedule: Schedule;
  /** Null for a schedule that is new or was changed. */
  readonly nextAt: Date | null;
  /** No run of it begins for now. */
  readonly paused: boolean;
  /** Now, by the database's clock. */
  readonly now: Date;
}

export interface Schedules {
  /** Every sync whose document has a schedule. */
  list(): Promise<readonly ScheduledSync[]>;
  /** Notes when a new or changed schedule is due first. Of several processes the first one decides. */
  begin(sync: string, nextAt: Date): Promise<void>;
  /**
   * True for the one process that is to start what is due at `dueAt`. Another may when it has not done so in time: both
   * would ask for the same run.
   */
  take(sync: string, dueAt: Date): Promise<boolean>;
  /** Notes that what was due at `dueAt` was started. */
  advance(sync: string, dueAt: Date, nextAt: Date): Promise<void>;
  /** Forgets syncs that have no schedule any more. */
  prune(): Promise<void>;
}

/** The schedules of a control store. */
export function openSchedules(db: Kysely<Database>): Schedules {
  return {
    list: () => list(db),
    begin: (sync, nextAt) => begin(db, sync, nextAt),
    take: async (sync, dueAt) => {
      const { numUpdatedRows } = await db
        .updateTable("app.schedules")
        .set({ taken_until: sql<Date>`now() + interval '15 seconds'` })
        .where("sync", "=", sync)
        .where("next_at", "=", dueAt)
        .where(sql<boolean>`(taken_until is null or taken_until <= now())`)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    advance: async (sync, dueAt, nextAt) => {
      await db
        .updateTable("app.schedules")
        .set({ next_at: nextAt, taken_until: null })
        .where("sync", "=", sync)
        .where("next_at", "=", dueAt)
        .execute();
    },
    prune: async () => {
      await sql`
        delete from app.schedules where not exists (
          select from app.documents where kind = 'sync' and name = schedules.sync and body -> 'schedule' is not null
        )`.execute(db);
    },
  };
}

const jitter = z.string().optional();
const written = z.union([
  z.object({ every: z.string(), jitter }),
  z.object({ cron: z.string(), timezone: z.string().default("UTC"), jitter }),
]);

async function list(db: Kysely<Database>): Promise<readonly ScheduledSync[]> {
  const { rows } = await sql<{ sync: string; definition: unknown; next_at: Date | null; paused: boolean; now: Date }>`
    select document.name as sync, document.body -> 'schedule' as definition, known.next_at,
      exists (select from app.paused where paused.sync = document.name) as paused,
      date_trunc('milliseconds', now()) as now
    from app.documents document
    left join app.schedules known
      on known.sync = document.name and known.definition = (document.body -> 'schedule')::jsonb
    where document.kind = 'sync' and document.body -> 'schedule' is not null
    order by document.name`.execute(db);
  return rows.map(({ sync, definition, next_at: nextAt, paused, now }) => {
    const { jitter: spread, ...times } = written.parse(definition);
    const jitterMs = spread === undefined ? 0 : durationMs(spread);
    const schedule = "every" in times ? { everyMs: durationMs(times.every), jitterMs } : { ...times, jitterMs };
    return { sync, schedule, nextAt, paused, now };
  });
}

async function begin(db: Kysely<Database>, sync: string, nextAt: Date): Promise<void> {
  await sql`
    insert into app.schedules (sync, definition, next_at)
    select name, (body -> 'schedule')::jsonb, ${nextAt}::timestamptz from app.documents
    where kind = 'sync' and name = ${sync} and body -> 'schedule' is not null
    on conflict (sync) do update set definition = excluded.definition, next_at = excluded.next_at, taken_until = null
      where schedules.definition <> excluded.definition`.execute(db);
}
