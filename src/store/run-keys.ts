/** The rows that triggers have named, kept with the run that will send them. */
import { type Kysely, sql, type Transaction } from "kysely";
import { z } from "zod";
import type { RunIdentity } from "../sync/ports.ts";
import type { RowKey } from "../warehouse.ts";
import type { Database } from "./tables.ts";

/** Keys must fit one statement of every warehouse; a run for which more are named sends every row instead. */
export const mostNamed = { keys: 10_000, bytes: 400_000 } as const;

/** Each key counts for its bytes, but so much at least that neither their number nor their length is too great. */
const leastRoom = mostNamed.bytes / mostNamed.keys;

const keySchema = z.array(z.string());

/**
 * Adds keys to a run that waits, in the transaction that has locked it. Each key is kept once. True when the run still
 * has room for them; when not, it is a full run now.
 */
export async function addKeys(trx: Transaction<Database>, runId: string, keys: readonly RowKey[]): Promise<boolean> {
  const texts = keys.map((key) => JSON.stringify(key));
  const { rows } = await sql<{ key: string }>`
    insert into app.run_keys (run_id, key) select ${runId}, key from unnest(${texts}::text[]) as key
    on conflict do nothing returning key`.execute(trx);
  const room = rows.reduce((sum, { key }) => sum + Math.max(leastRoom, Buffer.byteLength(key)), 0);
  const { named } = await trx
    .updateTable("app.runs")
    .set({ named: sql<number>`named + ${room}` })
    .where("id", "=", runId)
    .returning("named")
    .executeTakeFirstOrThrow();
  if (named <= mostNamed.bytes) return true;
  await trx.updateTable("app.runs").set({ kind: "full" }).where("id", "=", runId).execute();
  await forgetKeys(trx, runId);
  return false;
}

/** The rows that are named for a run. */
export async function keysOf(db: Kysely<Database>, runId: string): Promise<readonly RowKey[]> {
  const rows = await db.selectFrom("app.run_keys").select("key").where("run_id", "=", runId).orderBy("key").execute();
  return rows.map(({ key }) => keySchema.parse(JSON.parse(key)));
}

/** Takes over the keys of runs of the sync that lost their worker: whoever settles those runs sends their rows. */
export async function adoptKeys(trx: Transaction<Database>, { id, sync }: RunIdentity): Promise<void> {
  const lost = await trx
    .deleteFrom("app.run_keys")
    .where("run_id", "in", (query) =>
      query
        .selectFrom("app.runs")
        .select("id")
        .where("sync", "=", sync)
        .where("id", "<>", id)
        .where("status", "in", ["planning", "sending", "committing"]),
    )
    .returning("key")
    .execute();
  if (lost.length === 0) return;
  const keys = lost.map(({ key }) => keySchema.parse(JSON.parse(key)));
  await addKeys(trx, id, keys);
}

/** Forgets the keys of a run that has ended: they are customer data, and of no more use. */
export async function forgetKeys(db: Kysely<Database>, runId: string): Promise<void> {
  await db.deleteFrom("app.run_keys").where("run_id", "=", runId).execute();
}
