/** A few of a run's requests, without values: for whoever wonders what was sent. */
import { type Kysely, sql } from "kysely";
import type { Page } from "./runs.ts";
import type { Database } from "./tables.ts";
import { storable } from "./text.ts";

const keepDays = 14;

/** A request as it is kept; what it means, whoever recorded it says. */
export interface StoredExchange {
  readonly at: Date;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly ms: number;
  readonly request: string | null;
  readonly answer: string | null;
}

export interface Exchanges {
  add(runId: string, exchanges: readonly StoredExchange[]): Promise<void>;
  /** In the order in which they ended. */
  list(
    runId: string,
    filter: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page<StoredExchange>>;
}

/** The exchanges of a control store. */
export function openExchanges(db: Kysely<Database>): Exchanges {
  return {
    add: async (runId, exchanges) => {
      if (exchanges.length === 0) return;
      const rows = exchanges.map((one) => ({
        ...one,
        run_id: runId,
        ms: Math.round(one.ms),
        path: storable(one.path),
        request: one.request === null ? null : storable(one.request),
        answer: one.answer === null ? null : storable(one.answer),
      }));
      await db.insertInto("app.exchanges").values(rows).execute();
      await db
        .deleteFrom("app.exchanges")
        .where("at", "<", sql<Date>`now() - ${keepDays} * interval '1 day'`)
        .execute();
    },
    list: async (runId, { limit, cursor }) => {
      let query = db
        .selectFrom("app.exchanges")
        .selectAll()
        .where("run_id", "=", runId)
        .orderBy("no")
        .limit(limit + 1);
      // A cursor is a number; any other text finds nothing more.
      if (cursor !== undefined) query = query.where("no", ">", /^\d{1,15}$/.test(cursor) ? cursor : "999999999999999");
      const rows = await query.execute();
      const data = rows.slice(0, limit);
      const last = data.at(-1);
      return {
        data: data.map(({ run_id: _run, no: _no, ...exchange }) => exchange),
        nextCursor: rows.length > limit && last ? last.no : null,
      };
    },
  };
}
