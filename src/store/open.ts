/** Opens the control store: Postgres where one is given, else a database of its own in the data folder. */
import { join } from "node:path";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { messageOf, SluiceError } from "../errors.ts";
import type { RunStore } from "../sync/ports.ts";
import { type Audit, openAudit } from "./audit.ts";
import { type DatabaseClock, openClock } from "./clock.ts";
import { type Exchanges, openExchanges } from "./exchanges.ts";
import { type Hooks, openHooks } from "./hooks.ts";
import { openDocuments, type StoredDocuments } from "./documents.ts";
import { type Keys, openKeys } from "./keys.ts";
import { type Leases, openLeases } from "./leases.ts";
import { type FolderLock, lockFolder } from "./lock.ts";
import { migrate } from "./migrate.ts";
import { type Notices, openNotices } from "./notices.ts";
import { openPaceCounts, type PaceCounts } from "./pace.ts";
import { openParts, type Parts } from "./parts.ts";
import { openPauses, type Pauses } from "./pauses.ts";
import type { StorePool } from "./pool.ts";
import { openRejections, type Rejections } from "./rejections.ts";
import { openRetention, type Retention } from "./retention.ts";
import { openRunStore } from "./run-store.ts";
import { openRuns, type Runs } from "./runs.ts";
import { openSecrets, type Secrets } from "./secrets.ts";
import { openSequels, type Sequels } from "./sequels.ts";
import { openSchedules, type Schedules } from "./schedules.ts";
import type { Database } from "./tables.ts";
import { openTokens, type Tokens } from "./tokens.ts";

/** The control store, with a room for each thing that it is the truth of. */
export interface Store {
  readonly documents: StoredDocuments;
  readonly runs: Runs;
  readonly rejections: Rejections;
  readonly exchanges: Exchanges;
  readonly retention: Retention;
  readonly schedules: Schedules;
  readonly sequels: Sequels;
  readonly pauses: Pauses;
  readonly pace: PaceCounts;
  readonly hooks: Hooks;
  readonly notices: Notices;
  readonly leases: Leases;
  readonly keys: Keys;
  readonly secrets: Secrets;
  readonly tokens: Tokens;
  readonly audit: Audit;
  /** What a run writes of itself. */
  readonly runStore: RunStore;
  readonly parts: Parts;
  readonly clock: DatabaseClock;
  /** The lock of the data folder; null when the store is a Postgres. */
  readonly folder: FolderLock | null;
  /** For the queue that lives on the store. */
  readonly pool: StorePool;
  /** Resolves if the database answers. */
  ping(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** A Postgres. Undefined: embedded, in the data folder. */
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
}

/** The queue's tables are found by it; ours are always named with their schema. */
const searchPath = "bullmq, public";

/** A process that stands still in the middle of a transaction must not keep what it has locked from who takes over. */
const idleInTransactionMs = 10_000;

/**
 * Opens the control store and brings it up to date. An embedded one is locked first: throws FolderLocked while another
 * process has it. Throws `store_unreachable` or `store_too_new` where that is so.
 */
export async function openStore({ databaseUrl, dataDir }: StoreOptions): Promise<Store> {
  const folder = databaseUrl === undefined ? lockFolder(dataDir) : null;
  let pool: StorePool | undefined;
  try {
    pool = databaseUrl === undefined ? await openEmbedded(join(dataDir, "control")) : openPostgres(databaseUrl);
    return await openRooms(pool, folder);
  } catch (error) {
    await pool?.end();
    folder?.release();
    throw error instanceof SluiceError ? error : unreachable(databaseUrl, error);
  }
}

/** Imported late: whoever has a Postgres needs no other. */
async function openEmbedded(folder: string): Promise<StorePool> {
  const { openPglite } = await import("./pglite.ts");
  return openPglite(folder, searchPath);
}

function openPostgres(databaseUrl: string): StorePool {
  const pool = new pg.Pool({
    connectionString: withOurOptions(databaseUrl),
    application_name: "sluice",
    max: 10,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // An idle connection that broke is replaced by the next query; one that breaks between two statements of a transaction
  // is met by the second. Unheard, either event would end the process.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  // Every queue and worker on the store listens for such breaks too.
  return pool.setMaxListeners(0);
}

/** The last of two options counts, and the driver takes the address's before any others: ours go there, behind its own. */
function withOurOptions(databaseUrl: string): string {
  const address = new URL(databaseUrl);
  const given = address.searchParams.get("options") ?? process.env["PGOPTIONS"] ?? "";
  const ours = `-c search_path=${searchPath.replaceAll(" ", "")} -c idle_in_transaction_session_timeout=${idleInTransactionMs}`;
  address.searchParams.set("options", `${given} ${ours}`.trim());
  return address.href;
}

async function openRooms(pool: StorePool, folder: FolderLock | null): Promise<Store> {
  await migrate(pool);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const leases = openLeases(db);
  // Whoever held a lease was an earlier process on this folder, and is dead.
  if (folder) await leases.abandonAll();
  let closing: Promise<void> | undefined;
  return {
    documents: openDocuments(db),
    runs: openRuns(db),
    rejections: openRejections(db),
    exchanges: openExchanges(db),
    retention: openRetention(db),
    schedules: openSchedules(db),
    sequels: openSequels(db),
    secrets: openSecrets(db),
    tokens: openTokens(db),
    pauses: openPauses(db),
    pace: openPaceCounts(db),
    hooks: openHooks(db),
    notices: openNotices(db),
    leases,
    keys: openKeys(db),
    audit: openAudit(db),
    runStore: openRunStore(db),
    parts: openParts(db),
    clock: await openClock(db),
    folder,
    pool,
    ping: async () => void (await pool.query("select 1")),
    close: () => (closing ??= pool.end().finally(() => folder?.release())),
  };
}

function unreachable(databaseUrl: string | undefined, cause: unknown): SluiceError {
  // Without the user and the password.
  const where = databaseUrl === undefined ? "in the data folder" : `at ${new URL(databaseUrl).host}`;
  return new SluiceError("store_unreachable", `The control store ${where} could not be opened: ${messageOf(cause)}.`, {
    hint: databaseUrl === undefined ? "See whether the folder can be written." : "Check SLUICE_DATABASE_URL.",
    cause,
  });
}
