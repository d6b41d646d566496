/** The control stores that every promise is tested on: embedded, and Postgres. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ResolvedSync } from "../../src/documents/resolve.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import type { RunCounts } from "../../src/sync/ports.ts";
import { startPostgres } from "../postgres.ts";
import { copyStore } from "../prepared-store.ts";

export interface TestStore {
  readonly store: Store;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  stop(): Promise<void>;
}

export const kindsOfStore = ["embedded", "Postgres"] as const;

/** Opens an empty control store. */
export async function startStore(kind: (typeof kindsOfStore)[number]): Promise<TestStore> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-store-"));
  const postgres = kind === "Postgres" ? await startPostgres() : undefined;
  const databaseUrl = await postgres?.database();
  if (databaseUrl === undefined) copyStore(dataDir);
  const store = await openStore({ databaseUrl, dataDir });
  return {
    store,
    dataDir,
    databaseUrl,
    stop: async () => {
      await store.close();
      await postgres?.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A name that no other test uses. */
export function newSync(): string {
  return `sync-${randomBytes(5).toString("hex")}`;
}

/** What a run of a sync is made of. */
export function resolved(sync: string): ResolvedSync {
  return {
    spec: {
      name: sync,
      model: { from: { table: "accounts" }, key: ["id"] },
      object: "companies",
      settings: {},
      mode: "upsert",
      match: { id: "id" },
      fields: [{ target: "zeta", kind: "column", options: { column: "zeta" }, whenNull: "clear" }],
      removed: "ignore",
      gate: { removed: { percent: 30 }, rejected: { percent: 10 }, keys: "withhold" },
    },
    source: {
      kind: "source",
      name: "warehouse",
      type: "duckdb",
      connection: { path: "a.duckdb" },
      planner: { in: "local", memory_limit: "256MB" },
    },
    destination: { kind: "destination", name: "crm", type: "memory", connection: {}, pace: { share: 0.8 } },
  };
}

export const counts: RunCounts = {
  plan: null,
  accepted: 2,
  rejected: 1,
  invalid: 0,
  inDoubt: 0,
  unsent: 0,
  alreadyThere: 0,
  requests: 1,
};
