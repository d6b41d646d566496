/** The secrets that documents name, sealed. */
import { type Kysely, sql } from "kysely";
import { NotFoundError } from "../errors.ts";
import type { Sealed } from "../security/sealing.ts";
import { type Rewrap, rewrapRows } from "./sealed-rows.ts";
import type { Database } from "./tables.ts";
import { storable } from "./text.ts";

export interface StoredSecret {
  readonly name: string;
  /** 1, then one more whenever it is set. */
  readonly version: number;
  readonly author: string;
  readonly updatedAt: Date;
}

export interface Secrets {
  /** Sets a secret. Its version is a part of what it is sealed for, so `seal` is given it. */
  put(name: string, author: string, seal: (version: number) => Sealed): Promise<StoredSecret>;
  /** All secrets, by name. */
  list(): Promise<readonly StoredSecret[]>;
  /** Those of these names that there are. */
  find(names: readonly string[]): Promise<readonly (StoredSecret & { readonly sealed: Sealed })[]>;
  /** Throws NotFoundError for one that is not there. */
  delete(name: string): Promise<void>;
  /** One secret under each key that was used for any, and the id of that key. */
  keys(): Promise<readonly { readonly keyId: string; readonly name: string }[]>;
  /** Seals anew those under other keys than this one. Gives how many. */
  rewrap(keyId: string, rewrap: Rewrap): Promise<number>;
}

const columns = ["name", "version", "author", "updated_at as updatedAt"] as const;

/** The secrets of a control store. */
export function openSecrets(db: Kysely<Database>): Secrets {
  const sealedRows = () => db.selectFrom("app.secrets").select([...columns, "key_id", "wrapped", "body"]);
  return {
    put: (name, author, seal) =>
      db.transaction().execute(async (trx) => {
        await sql`select pg_advisory_xact_lock(hashtext(${`secret ${name}`}))`.execute(trx);
        const before = await trx
          .selectFrom("app.secrets")
          .select("version")
          .where("name", "=", name)
          .executeTakeFirst();
        const version = (before?.version ?? 0) + 1;
        const { keyId, wrapped, body } = seal(version);
        const row = { version, key_id: keyId, wrapped, body, author: storable(author), updated_at: sql<Date>`now()` };
        return await trx
          .insertInto("app.secrets")
          .values({ name, ...row })
          .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
          .returning(columns)
          .executeTakeFirstOrThrow();
      }),
    list: () => db.selectFrom("app.secrets").select(columns).orderBy("name").execute(),
    find: async (names) => {
      if (names.length === 0) return [];
      const rows = await sealedRows().where("name", "in", names).execute();
      return rows.map(({ key_id: keyId, wrapped, body, ...row }) => ({ ...row, sealed: { keyId, wrapped, body } }));
    },
    delete: async (name) => {
      const { numDeletedRows } = await db.deleteFrom("app.secrets").where("name", "=", name).executeTakeFirst();
      if (numDeletedRows === 0n) throw new NotFoundError("secret_not_found", `There is no secret "${name}".`);
    },
    keys: async () => {
      const rows = await db
        .selectFrom("app.secrets")
        .select(["key_id as keyId", sql<string>`min(name)`.as("name")])
        .groupBy("key_id")
        .execute();
      return rows;
    },
    rewrap: (keyId, rewrap) => rewrapRows(db, "app.secrets", keyId, rewrap),
  };
}
