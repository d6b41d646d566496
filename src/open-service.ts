/** Opens what every command and role needs: the control store, and all that belongs to it. */
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Config } from "./config.ts";
import { listOf } from "./documents/documents.ts";
import { loadWorkspace } from "./documents/load.ts";
import { applyDocuments } from "./operations/documents.ts";
import { Places } from "./operations/places.ts";
import type { Service } from "./operations/service.ts";
import type { Registry } from "./registry.ts";
import { Sealer } from "./security/sealing.ts";
import { openStore } from "./store/open.ts";

/** In place, the folder is the truth of what there is. A folder without documents leaves the store as it is. */
export async function takeOverFolder(service: Service): Promise<void> {
  const documents = listOf((await loadWorkspace(service.folder, service.registry)).documents);
  if (documents.length > 0) await applyDocuments(documents, { prune: true, dryRun: false, author: "folder" }, service);
}

export interface Surroundings {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly registry: Registry;
}

/** The service over its store; whoever opens it closes the store. */
export async function openService(config: Config, { folder, environment, registry }: Surroundings): Promise<Service> {
  const dataDir = resolve(folder, config.dataDir ?? ".sluice");
  const sealer = new Sealer(config.secretKey);
  const store = await openStore({ databaseUrl: config.databaseUrl, dataDir });
  const worker = `${hostname()}:${process.pid}`;
  const { allowedAddresses } = config;
  return {
    store,
    registry,
    clock: store.clock,
    random: Math.random,
    environment,
    sealer,
    allowedAddresses,
    lines: new Map(),
    places: new Places(),
    tokens: new Map(),
    folder,
    dataDir,
    filesDir: config.filesDir === undefined ? join(dataDir, "files") : resolve(folder, config.filesDir),
    partRows: config.partRows,
    worker,
  };
}
