/** Access tokens, sealed, and who asks for the next one: one process at a time. */
import { type Kysely, sql } from "kysely";
import type { Sealed } from "../security/sealing.ts";
import { type Rewrap, rewrapRows } from "./sealed-rows.ts";
import type { Database } from "./tables.ts";

export interface StoredToken {
  /** 1, then one more with each that replaces another. */
  readonly version: number;
  readonly sealed: Sealed;
}

export interface Tokens {
  find(name: string): Promise<StoredToken | null>;
  /** Whether it is this asker's turn to ask for the token that follows `version` (0: for the first), for so long. */
  claim(
    name: string,
    turn: { readonly version: number; readonly asker: string; readonly ms: number },
  ): Promise<boolean>;
  /** Stores the token that follows `version`, and ends the turn. False when another has been stored meanwhile. */
  put(name: string, version: number, sealed: Sealed): Promise<boolean>;
  /** Ends an asker's turn without a token. */
  release(name: string, asker: string): Promise<void>;
  /** Seals anew those under other keys than this one. Gives how many. */
  rewrap(keyId: string, rewrap: Rewrap): Promise<number>;
}

/** The tokens of a control store. */
export function openTokens(db: Kysely<Database>): Tokens {
  return {
    find: async (name) => {
      const row = await db.selectFrom("app.tokens").selectAll().where("name", "=", name).executeTakeFirst();
      if (!row || row.key_id === null || row.wrapped === null || row.body === null) return null;
      return { version: row.version, sealed: { keyId: row.key_id, wrapped: row.wrapped, body: row.body } };
    },
    claim: async (name, { version, asker, ms }) => {
      const turn = { asker, asked_until: sql<Date>`now() + ${ms} * interval '1 millisecond'` };
      const taken = await db
        .insertInto("app.tokens")
        .values({ name, ...turn })
        .onConflict((conflict) =>
          conflict
            .column("name")
            .doUpdateSet(turn)
            .where(sql<boolean>`tokens.version = ${version}`)
            .where(sql<boolean>`tokens.asker is null or tokens.asked_until <= now()`),
        )
        .returning("version")
        .executeTakeFirst();
      return taken !== undefined;
    },
    put: async (name, version, { keyId, wrapped, body }) => {
      const stored = await db
        .updateTable("app.tokens")
        .set({ version: version + 1, key_id: keyId, wrapped, body, updated_at: sql<Date>`now()` })
        .set({ asker: null, asked_until: null })
        .where("name", "=", name)
        .where("version", "=", version)
        .executeTakeFirst();
      return stored.numUpdatedRows > 0n;
    },
    release: async (name, asker) => {
      const ended = { asker: null, asked_until: null };
      await db.updateTable("app.tokens").set(ended).where("name", "=", name).where("asker", "=", asker).execute();
    },
    rewrap: (keyId, rewrap) => rewrapRows(db, "app.tokens", keyId, rewrap),
  };
}
