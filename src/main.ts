/** Wires everything: reads the settings, opens what a command or a role needs, closes it in reverse order. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import packageFile from "../package.json" with { type: "json" };
import { type ApiOptions, createApi } from "./api/server.ts";
import type { Face, ServeOptions, Session } from "./cli/face.ts";
import { runProgram } from "./cli/program.ts";
import { remoteOperations } from "./cli/remote.ts";
import { type Config, isLoopback, readConfig } from "./config.ts";
import { listOf } from "./documents/documents.ts";
import { loadWorkspace } from "./documents/load.ts";
import { messageOf, SluiceError, UsageError } from "./errors.ts";
import { createLog, type Log } from "./log.ts";
import { applyDocuments } from "./operations/documents.ts";
import { documentOperations } from "./operations/edit.ts";
import { mappingOperations } from "./operations/edit-mapping.ts";
import { localOperations } from "./operations/local.ts";
import { sendNotices } from "./operations/notify.ts";
import type { Operations } from "./operations/operations.ts";
import { performRun } from "./operations/perform.ts";
import { requireReadable, rotateSecrets } from "./operations/secrets.ts";
import type { Service } from "./operations/service.ts";
import { startSequels } from "./operations/sequels.ts";
import { type TakeDelivery, takeDeliveries } from "./operations/webhooks.ts";
import { openQueue, type Queue } from "./queue/queue.ts";
import { startReconciler } from "./queue/reconciler.ts";
import type { Work } from "./queue/worker.ts";
import { repeat } from "./repeat.ts";
import { openRegistry, type Registry } from "./registry.ts";
import { serveSandbox } from "./sandbox.ts";
import { FolderLocked } from "./store/lock.ts";
import { Access } from "./security/access.ts";
import { type MadeKey, makeKey } from "./security/key.ts";
import { Sealer } from "./security/sealing.ts";
import { openStore } from "./store/open.ts";
import { openMetrics } from "./telemetry/metrics.ts";
import { RunStopped } from "./sync/lease.ts";

/** Runs one command line of this process. Returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  // Who reads may stop reading, as "head" does: what is under way goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosed);
  const environment = process.env;
  const registry = await openRegistry();
  const face: Face = {
    terminal: { stdout: process.stdout, stderr: process.stderr },
    environment,
    loadWorkspace: (folder) => loadWorkspace(folder, registry),
    openSession: ({ folder, url, variables }) =>
      openSession({ folder: resolve(folder), url, environment: { ...environment, ...variables } }, registry),
    serve: (options, signal) => serve(options, environment, registry, signal),
    serveSandbox: async (type, { port, limits, seed }) => {
      const createSandbox = await registry.loadSandbox(type);
      return serveSandbox(createSandbox({ limits, seed }), { port });
    },
    isWarehouse: (type) => registry.warehouseTypes().includes(type) && !registry.destinationTypes().includes(type),
    serveWarehouse: async (type, options) => (await registry.loadWarehouseSandbox(type))(options),
  };
  return runProgram(argv, face);
}

function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

interface SessionOptions {
  readonly folder: string;
  readonly url: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** Over HTTP where a service is named or holds the folder; else in place. */
async function openSession({ folder, url, environment }: SessionOptions, registry: Registry): Promise<Session> {
  if (url !== undefined) return remoteSession(url, environment["SLUICE_API_KEY"]);
  const config = readConfig(environment);
  let service: Service;
  try {
    service = await openService(config, { folder, environment, registry });
  } catch (error) {
    if (error instanceof FolderLocked && error.service) return remoteSession(error.service.url, error.service.key);
    throw error;
  }
  try {
    if (config.databaseUrl === undefined) await takeOverFolder(service);
    return { operations: localOperations(service, { ring: null }), [Symbol.asyncDispose]: () => service.store.close() };
  } catch (error) {
    await service.store.close();
    throw error;
  }
}

function remoteSession(url: string, key: string | undefined): Session {
  return { operations: remoteOperations(url, key), [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** In place, the folder is the truth of what there is. A folder without documents leaves the store as it is. */
async function takeOverFolder(service: Service): Promise<void> {
  const documents = listOf((await loadWorkspace(service.folder, service.registry)).documents);
  if (documents.length > 0) await applyDocuments(documents, { prune: true, dryRun: false, author: "folder" }, service);
}

interface Surroundings {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly registry: Registry;
}

async function openService(config: Config, { folder, environment, registry }: Surroundings): Promise<Service> {
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
    pacers: new Map(),
    folder,
    dataDir,
    worker,
  };
}

/** Runs of different syncs that one process does at a time. */
const runsAtATime = 4;

/** How long runs have to settle when the service stops. */
const graceMs = 30_000;

/** Runs the service until the signal says stop: API, workers or both. */
async function serve(
  options: ServeOptions,
  environment: NodeJS.ProcessEnv,
  registry: Registry,
  signal: AbortSignal,
): Promise<void> {
  const config = readConfig(environment);
  const { role, folder, host = config.host, port = config.port } = options;
  if (role !== "all" && config.databaseUrl === undefined) {
    throw new UsageError(
      "role_needs_database",
      `Role ${role} shares its work with other processes, so it needs a Postgres.`,
      {
        hint: "Set SLUICE_DATABASE_URL, or start without --role.",
      },
    );
  }
  const log = createLog(config.logLevel);
  await using opened = new AsyncDisposableStack();
  const service = await openService(config, { folder, environment, registry });
  opened.defer(() => service.store.close());
  await requireReadable(service);
  const resealed = await rotateSecrets(service);
  if (resealed > 0) log.info({ secrets: resealed }, "sealed under the new key");
  if (config.databaseUrl === undefined) await takeOverFolder(service);
  const onError = (error: unknown): void => log.error(error);
  const queue = await openQueue({ redisUrl: config.redisUrl, store: service.store, onError });
  opened.defer(() => queue.close(graceMs, new RunStopped("shutdown")));
  const operations = localOperations(service, { ring: (runId) => queue.ring(runId) });
  // Nothing is sent by a service that then cannot start.
  const key = makeKey();
  const takeDelivery = takeDeliveries(service, (runId) => queue.ring(runId));
  const listening = { host, port, key, log, signal, takeDelivery };
  const url = role === "worker" ? null : await listen(operations, service, listening, opened);
  if (role !== "api") startWork(service, queue, operations, log, opened);
  if (url) service.store.folder?.publish({ url, key: key.text });
  options.onListening(url);
  if (!signal.aborted) await new Promise((stop) => signal.addEventListener("abort", stop, { once: true }));
  log.info("stopping");
}

function startWork(
  service: Service,
  queue: Queue,
  operations: Operations,
  log: Log,
  opened: AsyncDisposableStack,
): void {
  const onError = (error: unknown): void => log.error(error);
  const follow = (): Promise<void> => startSequels(service, (runId) => queue.ring(runId), onError);
  const work: Work = async (id, signal) => {
    await doRun(id, service, log, signal);
    await follow();
  };
  queue.work(work, { concurrency: runsAtATime });
  const startRun = (sync: string): Promise<unknown> =>
    operations.startRun(sync, { kind: "changes", trigger: "schedule" });
  const { store } = service;
  const reconciler = startReconciler({ store, queue, startRun, startSequels: follow, onError });
  opened.defer(() => reconciler.close());
  const notifier = repeat(() => sendNotices(service, onError), { everyMs: 2000, onError });
  opened.defer(() => notifier.close());
}

async function doRun(id: string, service: Service, log: Log, signal: AbortSignal): Promise<void> {
  if (!(await performRun(id, service, { signal }))) return;
  const { sync, status, counts, failure } = await service.store.runs.get(id);
  const { accepted, rejected, invalid, inDoubt, requests } = counts;
  log.info(
    { run: id, sync, status, accepted, rejected, invalid, inDoubt, requests, failure: failure?.code },
    "run ended",
  );
}

interface Listening {
  readonly host: string;
  readonly port: number;
  /** For who may read the service's own folder. */
  readonly key: MadeKey;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly takeDelivery: TakeDelivery;
}

async function listen(
  operations: Operations,
  service: Service,
  { host, port, key, log, signal, takeDelivery }: Listening,
  opened: AsyncDisposableStack,
): Promise<string> {
  const readiness = async (): Promise<void> => {
    signal.throwIfAborted();
    await service.store.ping();
  };
  const { keys, audit } = service.store;
  const openWithoutKeys = isLoopback(host);
  if (!openWithoutKeys && !(await keys.any())) throw noKeys(host);
  if (!openWithoutKeys && service.sealer.keyIds.length === 0) throw noSecretKey(host);
  const access = new Access({ keys, localHash: key.hash, openWithoutKeys, now: () => performance.now() });
  const note: ApiOptions["note"] = (entry) => audit.write(entry);
  const documents = documentOperations(service);
  const { version } = packageFile;
  const api = createApi(operations, {
    readiness,
    logger: log,
    access,
    note,
    takeDelivery,
    documents,
    mappings: mappingOperations(service),
    metrics: openMetrics(() => operations.status()),
    version,
  });
  opened.defer(() => api.close());
  try {
    return await api.listen({ host, port });
  } catch (error) {
    throw new SluiceError("cannot_listen", `The API cannot listen on ${host}:${port}: ${messageOf(error)}.`, {
      hint: "Choose another port with --port or SLUICE_PORT; 0 takes any that is free.",
      cause: error,
    });
  }
}

function noSecretKey(host: string): UsageError {
  return new UsageError("no_secret_key", `On ${host} others use the API, and there is no key to store secrets under.`, {
    hint: 'Set SLUICE_SECRET_KEY to what "openssl rand -base64 32" prints, and keep a copy. On 127.0.0.1 it starts without.',
  });
}

function noKeys(host: string): UsageError {
  return new UsageError("no_keys", `On ${host} others can reach the API, and there is no API key yet.`, {
    hint: 'Make one first: "sluice keys create NAME --scope admin". On 127.0.0.1 it starts without.',
  });
}
