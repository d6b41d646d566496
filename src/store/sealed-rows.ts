/** What tables that hold something sealed have in common: the name, version and key of each row. */
import { type Kysely, sql } from "kysely";
import type { Sealed } from "../security/sealing.ts";
import type { Database } from "./tables.ts";

/** Seals what is sealed under another key anew; null when it is to stay as it is. */
export type Rewrap = (name: string, version: number, sealed: Sealed) => Sealed | null;

interface SealedRow {
  readonly name: string;
  readonly version: number;
  readonly keyId: string;
  readonly wrapped: Buffer;
  readonly body: Buffer;
}

/** Seals anew the rows under other keys than this one, one by one; a process that dies in between has done some. */
export async function rewrapRows(
  db: Kysely<Database>,
  table: "app.secrets" | "app.tokens",
  keyId: string,
  rewrap: Rewrap,
): Promise<number> {
  const { rows } = await sql<SealedRow>`
    select name, version, key_id as "keyId", wrapped, body from ${sql.table(table)} where key_id <> ${keyId}`.execute(
    db,
  );
  let done = 0;
  for (const { name, version, ...row } of rows) {
    const sealed = rewrap(name, version, row);
    if (sealed === null) continue;
    const { numAffectedRows = 0n } = await sql`
      update ${sql.table(table)} set key_id = ${sealed.keyId}, wrapped = ${sealed.wrapped}
      where name = ${name} and version = ${version} and key_id = ${row.keyId}`.execute(db);
    done += Number(numAffectedRows);
  }
  return done;
}
