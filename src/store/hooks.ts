/** The addresses of webhooks, and the deliveries that came to them. */
import { randomBytes } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Run } from "./run.ts";
import { createRun, type RunRequest } from "./runs.ts";
import type { Database } from "./tables.ts";

export interface Hooks {
  /** The id in the address of a trigger: 256 bits that nobody guesses, made when it is first asked for. */
  idOf(trigger: string): Promise<string>;
  /** The document of the trigger whose address has this id. */
  find(id: string): Promise<unknown>;
  /**
   * Asks for a run for the deliveries of one trigger, and remembers those that have an id, in one transaction. Null
   * when all of them had come before. Waits behind a run that is held.
   */
  take(trigger: string, deliveries: readonly TakenDelivery[], run: Omit<RunRequest, "keys">): Promise<Run | null>;
  /** Forgets deliveries of more than a day ago: by then their signatures are too old to be repeated. */
  prune(): Promise<void>;
}

export interface TakenDelivery {
  readonly id: string | null;
  readonly keys: NonNullable<RunRequest["keys"]>;
}

/** The webhooks of a control store. */
export function openHooks(db: Kysely<Database>): Hooks {
  return {
    idOf: async (trigger) => {
      const { id } = await db
        .insertInto("app.hooks")
        .values({ trigger, id: randomBytes(32).toString("base64url") })
        .onConflict((conflict) => conflict.column("trigger").doUpdateSet({ id: sql<string>`hooks.id` }))
        .returning("id")
        .executeTakeFirstOrThrow();
      return id;
    },
    find: async (id) => {
      // Whatever else stands in an address was not made here, and may be what Postgres does not take.
      if (!/^[\w-]{43}$/.test(id)) return null;
      const row = await db
        .selectFrom("app.hooks as hook")
        .innerJoin("app.documents as document", (join) =>
          join.onRef("document.name", "=", "hook.trigger").on("document.kind", "=", "trigger"),
        )
        .select("document.body")
        .where("hook.id", "=", id)
        .executeTakeFirst();
      return row?.body ?? null;
    },
    take: (trigger, deliveries, run) => take(db, trigger, deliveries, run),
    prune: async () => {
      await sql`delete from app.deliveries where at < now() - interval '1 day'`.execute(db);
    },
  };
}

async function take(
  db: Kysely<Database>,
  trigger: string,
  deliveries: readonly TakenDelivery[],
  run: Omit<RunRequest, "keys">,
): Promise<Run | null> {
  return db.transaction().execute(async (trx) => {
    const ids = deliveries.flatMap(({ id }) => (id === null ? [] : [id])).toSorted();
    const { rows } = await sql<{ id: string }>`
      insert into app.deliveries (trigger, id) select ${trigger}, id from unnest(${ids}::text[]) as id
      on conflict do nothing returning id`.execute(trx);
    const fresh = new Set(rows.map(({ id }) => id));
    const counted = deliveries.filter(({ id }) => id === null || fresh.has(id));
    if (counted.length === 0) return null;
    return await createRun(trx, { ...run, keys: counted.flatMap(({ keys }) => keys), behindHeld: true });
  });
}
