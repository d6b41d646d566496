/** The control store's clock: workers whose own clocks are wrong agree on what is due and what has run out. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Kysely, sql } from "kysely";
import type { Clock } from "../sync/ports.ts";
import type { Database } from "./tables.ts";

/** How long a measured difference is relied on. */
const trustMs = 60_000;

export interface DatabaseClock extends Clock {
  /** Measures the difference between this process's clock and the database's again. */
  refresh(): Promise<void>;
}

/** A clock that runs at this process's pace and shows the database's time. Measured now, and again now and then. */
export async function openClock(db: Kysely<Database>): Promise<DatabaseClock> {
  let aheadMs = 0;
  let measuredAt = 0;

  async function refresh(): Promise<void> {
    const asked = performance.now();
    measuredAt = asked;
    const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
    const answered = performance.now();
    const theirs = rows[0]?.now.getTime();
    // The answer was made halfway between the question and its arrival, as near as one can tell.
    if (theirs !== undefined) aheadMs = theirs - (asked + answered) / 2;
  }

  await refresh();
  return {
    now: () => {
      // When the database cannot be asked, the last difference is as good as any.
      if (performance.now() - measuredAt > trustMs) refresh().catch(() => undefined);
      return new Date(performance.now() + aheadMs);
    },
    sleep: async (ms, signal) => {
      try {
        await sleep(ms, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
    refresh,
  };
}
