/** Brings the control store to the shape that this version needs. Forward only; any number of processes may try at once. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SluiceError } from "../errors.ts";
import type { StorePool, StoreSession } from "./pool.ts";

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const folder = new URL("./migrations/", import.meta.url);

/** `001-control-store.sql`, `002-…`: numbered without gaps. */
function readMigrations(): readonly Migration[] {
  const names = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith(".sql"));
  return names.toSorted().map((name) => ({
    version: Number.parseInt(name, 10),
    name,
    sql: readFileSync(new URL(name, folder), "utf8"),
  }));
}

/** Runs what is missing, in one transaction under a lock. Refuses a store that a newer version has made. */
export async function migrate(pool: StorePool): Promise<void> {
  const session = await pool.connect();
  try {
    await session.query("begin");
    await session.query("select pg_advisory_xact_lock(hashtextextended('sluice.app', 0))");
    await runMissing(session, readMigrations());
    await session.query("commit");
  } catch (error) {
    await session.query("rollback", []).catch(() => undefined);
    throw error;
  } finally {
    session.release();
  }
}

async function runMissing(session: StoreSession, migrations: readonly Migration[]): Promise<void> {
  await session.query("create schema if not exists app");
  await session.query(
    "create table if not exists app.migrations (version int primary key, name text not null, applied_at timestamptz not null default now())",
    [],
  );
  const found = await session.query<{ version: number }>(
    "select coalesce(max(version), 0)::int as version from app.migrations",
    [],
  );
  const present = found.rows[0]?.version ?? 0;
  const newest = migrations.at(-1)?.version ?? 0;
  if (present > newest) {
    throw new SluiceError(
      "store_too_new",
      `The control store was made by a newer version of Sluice (its version is ${present}, this one knows ${newest}).`,
      { hint: "Start the newer version again, or restore the backup from before the upgrade." },
    );
  }
  for (const { version, name, sql } of migrations.slice(present)) {
    await session.query(sql);
    await session.query("insert into app.migrations (version, name) values ($1, $2)", [version, name]);
  }
}
