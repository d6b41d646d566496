/** The requests that went out under each credential, counted for every process on this store. */
import { type Kysely, sql } from "kysely";
import type { Database } from "./tables.ts";

export interface PaceCounts {
  /** Counts one request in all windows and gives 0; or counts none and gives how long until one may fit, in ms. */
  enter(credential: string, windows: readonly object[]): Promise<number>;
  /** Notes how many requests a vendor said are left, and for how long. */
  heard(credential: string, quotas: readonly object[]): Promise<void>;
}

/** The counts of a control store, by the database's clock. */
export function openPaceCounts(db: Kysely<Database>): PaceCounts {
  return {
    enter: async (credential, windows) => {
      const { rows } = await sql<{ wait: number }>`
        select app.pace_enter(${credential}, ${JSON.stringify(windows)}::jsonb) as wait`.execute(db);
      return rows[0]?.wait ?? 0;
    },
    heard: async (credential, quotas) => {
      await sql`select app.pace_heard(${credential}, ${JSON.stringify(quotas)}::jsonb)`.execute(db);
    },
  };
}
