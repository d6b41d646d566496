/** API keys, without their secrets. */
import { type Kysely, sql } from "kysely";
import { NotFoundError } from "../errors.ts";
import type { Scope } from "../security/key.ts";
import type { Database } from "./tables.ts";
import { storable } from "./text.ts";

export interface StoredKey {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
  readonly hash: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
  /** Neither revoked nor expired, by the database's clock. */
  readonly valid: boolean;
}

export interface NewKey extends Pick<StoredKey, "id" | "name" | "scope" | "hash" | "createdBy"> {
  /** Null: it never expires. */
  readonly lifeMs: number | null;
}

export interface Keys {
  add(key: NewKey): Promise<StoredKey>;
  /** All keys, newest first. */
  list(): Promise<readonly StoredKey[]>;
  find(id: string): Promise<StoredKey | null>;
  /** Ends a key's life. One that is revoked stays so. Throws NotFoundError for a key that never was. */
  revoke(id: string): Promise<StoredKey>;
  /** Notes that a key was used; to the minute. */
  touch(id: string): Promise<void>;
  /** Whether there is a key that works. */
  any(): Promise<boolean>;
}

/** The keys of a control store. */
export function openKeys(db: Kysely<Database>): Keys {
  const select = () =>
    db
      .selectFrom("app.keys")
      .select([
        "id",
        "name",
        "scope",
        "hash",
        "created_by as createdBy",
        "created_at as createdAt",
        "expires_at as expiresAt",
        "revoked_at as revokedAt",
        "last_used_at as lastUsedAt",
        sql<boolean>`revoked_at is null and (expires_at is null or expires_at > now())`.as("valid"),
      ]);
  const get = async (id: string): Promise<StoredKey> => {
    const found = await select().where("id", "=", id).executeTakeFirst();
    if (found === undefined) throw new NotFoundError("key_not_found", `There is no API key ${id}.`);
    return found;
  };
  return {
    async add({ id, name, scope, hash, createdBy, lifeMs }) {
      const expires = lifeMs === null ? null : sql<Date>`now() + ${lifeMs} * interval '1 millisecond'`;
      const row = { id, name: storable(name), scope, hash, created_by: storable(createdBy), expires_at: expires };
      await db.insertInto("app.keys").values(row).execute();
      return await get(id);
    },
    list: () => select().orderBy("created_at", "desc").orderBy("id").execute(),
    find: async (id) => (await select().where("id", "=", id).executeTakeFirst()) ?? null,
    async revoke(id) {
      await db
        .updateTable("app.keys")
        .set({ revoked_at: sql<Date>`now()` })
        .where("id", "=", storable(id))
        .where("revoked_at", "is", null)
        .execute();
      return await get(storable(id));
    },
    async touch(id) {
      await db
        .updateTable("app.keys")
        .set({ last_used_at: sql<Date>`now()` })
        .where("id", "=", id)
        .where(sql<boolean>`(last_used_at is null or last_used_at < now() - interval '1 minute')`)
        .execute();
    },
    async any() {
      const { rows } = await sql<{ found: boolean }>`
        select exists (
          select from app.keys where revoked_at is null and (expires_at is null or expires_at > now())
        ) as found`.execute(db);
      return rows[0]?.found === true;
    },
  };
}
