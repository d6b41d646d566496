/** Runs the service: API, workers, schedules. Loaded only for that, since commands start sooner without it. */
import packageFile from "../package.json" with { type: "json" };
import type { ApiOptions } from "./api/server.ts";
import type { ServeOptions } from "./cli/face.ts";
import { isLoopback, readConfig } from "./config.ts";
import { messageOf, SluiceError, UsageError } from "./errors.ts";
import { createLog, type Log } from "./log.ts";
import { openService, takeOverFolder } from "./open-service.ts";
import { documentOperations } from "./operations/edit.ts";
import { mappingOperations } from "./operations/edit-mapping.ts";
import { localOperations } from "./operations/local.ts";
import { sendNotices } from "./operations/notify.ts";
import type { Operations } from "./operations/operations.ts";
import { performRun, type PerformOptions } from "./operations/perform.ts";
import { runsAtATime } from "./operations/places.ts";
import { requireReadable, rotateSecrets } from "./operations/secrets.ts";
import { startSequels } from "./operations/sequels.ts";
import type { Service } from "./operations/service.ts";
import { takePart } from "./operations/take-part.ts";
import { type TakeDelivery, takeDeliveries } from "./operations/webhooks.ts";
import { openQueue, type Queue } from "./queue/queue.ts";
import { startReconciler } from "./queue/reconciler.ts";
import type { Work } from "./queue/worker.ts";
import type { Registry } from "./registry.ts";
import { repeat } from "./repeat.ts";
import { Access } from "./security/access.ts";
import { type MadeKey, makeKey } from "./security/key.ts";
import { RunStopped } from "./sync/lease.ts";

/** How long runs have to settle when the service stops. */
const graceMs = 30_000;

/** Runs the service until the signal says stop: API, workers or both. */
export async function serve(
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
  if (role !== "api") {
    startWork(service, queue, operations, log, opened);
    const forgetting = repeat(() => service.store.retention.prune(config.keepRunsDays), { everyMs: hourMs, onError });
    opened.defer(() => forgetting.close());
  }
  if (url) service.store.folder?.publish({ url, key: key.text });
  options.onListening(url);
  if (!signal.aborted) await new Promise((stop) => signal.addEventListener("abort", stop, { once: true }));
  log.info("stopping");
}

const hourMs = 3_600_000;

function startWork(
  service: Service,
  queue: Queue,
  operations: Operations,
  log: Log,
  opened: AsyncDisposableStack,
): void {
  const onError = (error: unknown): void => log.error(error);
  const follow = (): Promise<void> => startSequels(service, (runId) => queue.ring(runId), onError);
  // A store of its own has one process, and nobody to call.
  const call = service.store.folder === null ? (id: string, joined: number) => void queue.call(id, joined) : undefined;
  const work: Work = async (id, signal) => {
    await doRun(id, service, log, { signal, ...(call ? { call } : {}) });
    for (const waiting of service.places.freed()) await queue.ring(waiting);
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

async function doRun(id: string, service: Service, log: Log, options: PerformOptions): Promise<void> {
  if (!(await performRun(id, service, options))) {
    if (await takePart(id, service, options.signal)) log.info({ run: id }, "took part in a run");
    return;
  }
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
  // Imported late: a worker has no API.
  const [{ createApi }, { openMetrics }] = await Promise.all([
    import("./api/server.ts"),
    import("./telemetry/metrics.ts"),
  ]);
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
