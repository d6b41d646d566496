/**
 * Transactions that are known by a name. Snowflake lets a statement go on whose client was killed, and keeps its
 * transaction, with its locks, for minutes or hours: whoever is next at a sync finds it by its name and ends it.
 */
import { hash } from "node:crypto";
import { WarehouseError } from "../../errors.ts";
import type { Owner, Session } from "../dialect.ts";

export function begin(owner: Owner | undefined): string {
  return owner === undefined ? "begin transaction" : `begin transaction name ${prefixOf(owner)}${owner.fence}`;
}

/** The number of the session's transaction. */
export async function currentTransaction(session: Pick<Session, "query">): Promise<string | null> {
  const [row] = await session.query("select current_transaction()");
  return row?.[0] ?? null;
}

/** Ends the transactions that were begun for the same tables under a lower fence, with the statements that run in them. */
export async function endAbandoned(owner: Owner, session: Pick<Session, "query">): Promise<void> {
  const prefix = prefixOf(owner);
  // Of this user's own sessions: id, user, session, name, …
  for (const [id = "", , , name] of await session.query("show transactions")) {
    // A name without quotes may be told in capitals.
    const fence = name?.toLowerCase().startsWith(prefix) === true ? name.slice(prefix.length) : "";
    if (/^\d+$/.test(fence) && Number(fence) < owner.fence && /^-?\d+$/.test(id ?? ""))
      await session.query(`select system$abort_transaction(${id})`);
  }
}

export function transactionEnded(): WarehouseError {
  return new WarehouseError("transaction_ended", "The transaction was ended in Snowflake before it was committed.", {
    hint: "Nothing of it was written. Another worker has taken over, or somebody ended it: the next run goes on.",
  });
}

/** Tells nothing but that two transactions write the same tables. */
function prefixOf({ name }: Owner): string {
  return `sluice_${hash("sha256", name, "hex").slice(0, 24)}_`;
}
