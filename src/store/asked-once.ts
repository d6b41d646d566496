/** Asks that come with a key of their own: repeated, they are the same run. */
import { hash } from "node:crypto";
import { sql, type Transaction } from "kysely";
import { UsageError } from "../errors.ts";
import type { Database } from "./tables.ts";

/** Who asks, and the key that they gave this one ask. */
export interface Once {
  readonly actor: string;
  readonly key: string;
}

/**
 * The id of the run that this ask led to within the last day, or of what `create` makes now. Fails with
 * `idempotency_key_reused` when the key came with another ask. Of those who come at once, one creates.
 */
export async function askedOnce(
  trx: Transaction<Database>,
  { actor, key }: Once,
  ask: readonly unknown[],
  create: () => Promise<{ readonly id: string }>,
): Promise<string> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${actor} ${key}`}, 0))`.execute(trx);
  await sql`delete from app.asked_once where at < now() - interval '1 day'`.execute(trx);
  const asked = hash("sha256", JSON.stringify(ask), "hex");
  const before = await trx
    .selectFrom("app.asked_once")
    .select(["ask", "run_id"])
    .where("actor", "=", actor)
    .where("key", "=", key)
    .executeTakeFirst();
  if (before && before.ask !== asked) {
    throw new UsageError("idempotency_key_reused", "This Idempotency-Key came with another request before.", {
      hint: "Give each request that is not a repetition a key of its own.",
    });
  }
  if (before) return before.run_id;
  const { id } = await create();
  await trx.insertInto("app.asked_once").values({ actor, key, ask: asked, run_id: id }).execute();
  return id;
}
