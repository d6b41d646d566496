/** The operations of this process, on its own service. */
import { kinds } from "../documents/documents.ts";
import { resolveSync } from "../documents/resolve.ts";
import { NotFoundError, SluiceError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { RunProgress } from "../sync/ports.ts";
import type { Run } from "../store/runs.ts";
import { RunStopped } from "../sync/lease.ts";
import { openDestination } from "./connect.ts";
import { dbtRan } from "./dbt-ran.ts";
import { destinationTypes, modelColumns, sampleModel, sampleSegment, sourceTypes } from "./discover.ts";
import { applyDocuments, storedDocuments } from "./documents.ts";
import { auditPage, createKey, keyView } from "./keys.ts";
import { listDocuments } from "./edit.ts";
import { namedKeys } from "./named-keys.ts";
import type { Operations } from "./operations.ts";
import type { RejectionsView, RunView } from "./run-schemas.ts";
import type { CheckView, DescribeView } from "./schemas.ts";
import { checkNotification, listNotices, sendNotices } from "./notify.ts";
import { performRun } from "./perform.ts";
import { previewPlan } from "./plan.ts";
import { previewRecords } from "./preview.ts";
import { previewRevert, startRevert } from "./revert.ts";
import { deleteSecret, listSecrets, setSecret } from "./secrets.ts";
import type { Dispatch, Service } from "./service.ts";
import { checkSource, grantsOf } from "./sources.ts";
import { pause, requireNotPaused, resume, status } from "./status.ts";
import { suggestMapping } from "./suggest.ts";
import { Together } from "./together.ts";
import { runView } from "./views.ts";
import { listTriggers } from "./webhooks.ts";

export function localOperations(service: Service, { ring }: Dispatch): Operations {
  const { store } = service;
  const view = (run: Run): RunView => runView(run, service.clock.now());
  const together = new Together<Run>();
  const start: StartRun = (sync, request) => startRun(sync, request, service, ring);
  return {
    apply: (documents, options) => applyDocuments(documents, options, service),
    workspace: async () => (await Promise.all(kinds.map((kind) => listDocuments(kind, service)))).flat(),
    check: (name) => check(name, service),
    grants: (source) => grantsOf(source, service),
    describe: (destination, object, settings) => describe(destination, object, settings, service),
    destinationTypes: () => destinationTypes(service),
    sourceTypes: () => sourceTypes(service),
    modelColumns: (model) => modelColumns(model, service),
    sampleModel: (model, options) => sampleModel(model, options, service),
    sampleSegment: (segment, limit) => sampleSegment(segment, limit, service),
    suggestMapping: (sync) => suggestMapping(sync, service),
    preview: (sync, options) => previewRecords(sync, options, service),
    plan: (sync, options) => previewPlan(sync, options, service),
    startRun: async (sync, request) => {
      const { kind, trigger, once } = request;
      if (kind === "keys" || once) return view(await start(sync, request));
      return view(await together.ask(JSON.stringify([sync, kind, trigger]), () => start(sync, request)));
    },
    waitForRun: (id, options) => (ring ? followRun(id, service, options) : doRun(id, service, options)),
    run: async (id) => view(await store.runs.get(id)),
    runs: async (filter) => {
      const { data, nextCursor } = await store.runs.list(filter);
      return { data: data.map(view), next_cursor: nextCursor };
    },
    rejections: (runId, filter) => rejections(runId, filter, service),
    requests: async (runId, filter) => {
      await store.runs.get(runId);
      const { data, nextCursor } = await store.exchanges.list(runId, filter);
      return { data: data.map(({ at, ...one }) => ({ at: at.toISOString(), ...one })), next_cursor: nextCursor };
    },
    previewRevert: (id, { limit }) => previewRevert(id, limit, service),
    revert: (id, author) => startRevert(id, author, service, ring),
    cancel: async (id) => view(await store.runs.requestCancel(id)),
    release: async (id) => {
      const run = await store.runs.release(id);
      await ring?.(run.id);
      return view(run);
    },
    status: () => status(service),
    pause: (sync, author) => pause(sync, author, service),
    resume: async (sync) => {
      const resumed = await resume(sync, service);
      const waiting = await store.runs.active(sync);
      if (waiting?.status === "queued") await ring?.(waiting.id);
      return resumed;
    },
    dbtRan: (results) => dbtRan(results, service, ring),
    createKey: (request) => createKey(request, service),
    keys: async () => (await store.keys.list()).map(keyView),
    revokeKey: async (id) => keyView(await store.keys.revoke(id)),
    setSecret: (name, value, author) => setSecret(name, value, author, service),
    secrets: () => listSecrets(service),
    deleteSecret: (name) => deleteSecret(name, service),
    audit: (filter) => auditPage(filter, service),
    triggers: () => listTriggers(service),
    notices: (notification, limit) => listNotices(notification, limit, service),
  };
}

type StartRun = (...asked: Parameters<Operations["startRun"]>) => Promise<Run>;

async function startRun(
  sync: string,
  { kind, trigger, keys = [], once }: Parameters<StartRun>[1],
  service: Service,
  ring: Dispatch["ring"],
): Promise<Run> {
  const spec = resolveSync(await storedDocuments(service), sync, await service.registry.mappingKinds());
  const named = namedKeys(keys, spec.spec.model.key);
  await requireNotPaused(sync, service);
  const run = await service.store.runs.create({ sync, kind, trigger, spec, keys: named }, once);
  await ring?.(run.id);
  return run;
}

type WaitOptions = Parameters<Operations["waitForRun"]>[1];

/** Does the run in this process. Runs of the sync that lost their worker are settled first. */
async function doRun(id: string, service: Service, { onProgress, signal: given }: WaitOptions): Promise<RunView> {
  const run = await service.store.runs.get(id);
  const show = (progress: RunProgress): void =>
    onProgress?.(runView({ ...run, ...progress, startedAt: run.startedAt ?? run.createdAt }, service.clock.now()));
  const stop = new AbortController();
  given?.addEventListener("abort", () => stop.abort(new RunStopped("cancelled")), { once: true });
  for (const lost of await service.store.runs.orphaned()) {
    if (lost.sync === run.sync) await performRun(lost.id, service, { signal: stop.signal });
  }
  const done = await performRun(id, service, { signal: stop.signal, onProgress: show });
  const ended = await service.store.runs.get(id);
  if (!done && ended.endedAt === null && ended.status !== "held") throw await busy(run.sync, service);
  // No service is there to do it. What is not taken waits for the next command or service.
  await sendNotices(service, () => undefined);
  return runView(ended, service.clock.now());
}

async function busy(sync: string, service: Service): Promise<SluiceError> {
  const active = await service.store.runs.active(sync);
  return new SluiceError("sync_busy", `Another run of "${sync}" is under way${active ? `: ${active.id}` : ""}.`, {
    hint: "This one waits in the queue; a worker begins it when the other has ended.",
  });
}

const pollMs = 200;

/** Waits while a worker does the run. */
async function followRun(id: string, service: Service, { onProgress, signal }: WaitOptions): Promise<RunView> {
  let cancelled = false;
  for (;;) {
    const run = await service.store.runs.get(id);
    const view = runView(run, service.clock.now());
    onProgress?.(view);
    if (run.endedAt !== null || run.status === "held") return view;
    if (signal?.aborted && !cancelled) {
      cancelled = true;
      await service.store.runs.requestCancel(id);
    }
    await service.clock.sleep(pollMs);
  }
}

async function check(name: string, service: Service): Promise<CheckView> {
  const { sources, destinations, notifications } = await storedDocuments(service);
  const source = sources.get(name);
  if (source) return checkSource(source, service);
  const notification = notifications.get(name);
  if (notification) return checkNotification(notification, service);
  const destination = destinations.get(name);
  if (!destination) {
    const names = [...sources.keys(), ...destinations.keys(), ...notifications.keys()];
    const message = `There is no source, destination or notification "${name}"${nearest(name, names)}`;
    throw new NotFoundError("not_found", message);
  }
  await using open = await openDestination(destination, service);
  const { account } = await open.connection.check();
  return { name, kind: "destination", ok: true, account };
}

async function describe(
  name: string,
  object: string | undefined,
  settings: Parameters<Operations["describe"]>[2],
  service: Service,
): Promise<DescribeView> {
  const { destinations } = await storedDocuments(service);
  const destination = destinations.get(name);
  if (!destination)
    throw new NotFoundError("not_found", `There is no destination "${name}"${nearest(name, destinations.keys())}`);
  await using open = await openDestination(destination, service);
  if (object === undefined) return { objects: await open.connection.objects() };
  const { name: found, idempotent, reads = false, ...described } = await open.connection.describe(object, settings);
  return { object: found, ...described, idempotent: described.modes.filter((mode) => idempotent[mode]), reads };
}

async function rejections(
  runId: string,
  filter: { limit: number; cursor?: string | undefined },
  { store }: Service,
): Promise<RejectionsView> {
  await store.runs.get(runId);
  const [{ data, nextCursor }, causes] = await Promise.all([
    store.rejections.list(runId, filter),
    store.rejections.causes(runId),
  ]);
  const shown = data.map(({ rowKey, kind, code, message, field = null }) => ({
    row_key: rowKey,
    kind,
    code,
    message,
    field,
  }));
  return { data: shown, next_cursor: nextCursor, causes };
}
