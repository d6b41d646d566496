/** The operations of a running service, over its REST API. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, NotFoundError, SluiceError, UsageError } from "../errors.ts";
import type { Operations } from "../operations/operations.ts";
import type { DbtRanView, RunView } from "../operations/run-schemas.ts";

const pollMs = 300;

/** Asks the service at `url`, with a key where it wants one. Its problem documents come back as the errors that they were. */
export function remoteOperations(url: string, key: string | undefined): Operations {
  const call = async <Answer>(method: Method, path: string, body?: unknown): Promise<Answer> => {
    const response = await send({ url, key }, method, path, body);
    if (!response.ok) throw await problemOf(response, url);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  };
  const get = <Answer>(path: string): Promise<Answer> => call("GET", path);
  const post = <Answer>(path: string, body: unknown = {}): Promise<Answer> => call("POST", path, body);
  const list = async <Item>(path: string): Promise<readonly Item[]> =>
    (await get<{ readonly data: readonly Item[] }>(path)).data;
  const one = encodeURIComponent;
  return {
    apply: (documents, { prune, dryRun }) => post("/v1/workspace", { documents, prune, dry_run: dryRun }),
    workspace: () => list("/v1/workspace"),
    check: (name) =>
      firstFound(
        ["sources", "destinations", "notifications"].map((kind) => () => post(`/v1/${kind}/${one(name)}/check`)),
      ),
    grants: (source) => get(`/v1/sources/${one(source)}/grants`),
    describe: (destination, object, settings) =>
      get(
        `/v1/destinations/${one(destination)}/objects${object === undefined ? "" : `/${one(object)}`}${query({ settings: JSON.stringify(settings) })}`,
      ),
    destinationTypes: () => list("/v1/destination-types"),
    sourceTypes: () => list("/v1/source-types"),
    modelColumns: (model) => list(`/v1/models/${one(model)}/columns`),
    sampleModel: (model, options) => post(`/v1/models/${one(model)}/sample`, options),
    sampleSegment: (segment, limit) => post(`/v1/segments/${one(segment)}/sample`, { limit }),
    suggestMapping: (sync) => get(`/v1/syncs/${one(sync)}/mapping/suggestion`),
    preview: (sync, options) => post(`/v1/syncs/${one(sync)}/preview`, options),
    plan: (sync, options) => post(`/v1/syncs/${one(sync)}/plan`, options),
    startRun: (sync, { kind, trigger, keys }) => post(`/v1/syncs/${one(sync)}/runs`, { kind, trigger, keys }),
    waitForRun: (id, options) => waitForEnd(id, { get, post }, options),
    run: (id) => get(`/v1/runs/${one(id)}`),
    runs: (filter) => get(`/v1/runs${query(filter)}`),
    rejections: (runId, filter) => get(`/v1/runs/${one(runId)}/rejections${query(filter)}`),
    requests: (runId, filter) => get(`/v1/runs/${one(runId)}/requests${query(filter)}`),
    previewRevert: (id, options) => post(`/v1/runs/${one(id)}/revert/plan`, options),
    revert: (id) => post(`/v1/runs/${one(id)}/revert`),
    cancel: (id) => post(`/v1/runs/${one(id)}/cancel`),
    release: (id) => post(`/v1/runs/${one(id)}/release`),
    createKey: ({ name, scope, days }) => post("/v1/keys", { name, scope, expires_in_days: days }),
    keys: () => list("/v1/keys"),
    revokeKey: (id) => call("DELETE", `/v1/keys/${one(id)}`),
    setSecret: (name, value) => call("PUT", `/v1/secrets/${one(name)}`, { value }),
    secrets: () => list("/v1/secrets"),
    deleteSecret: (name) => call("DELETE", `/v1/secrets/${one(name)}`),
    audit: (filter) => get(`/v1/audit${query(filter)}`),
    notices: (name, limit) => list(`/v1/notifications/${one(name)}/notices${query({ limit })}`),
    triggers: () => list("/v1/triggers"),
    status: () => list("/v1/syncs"),
    pause: (sync) => post(`/v1/syncs/${one(sync)}/pause`),
    resume: (sync) => post(`/v1/syncs/${one(sync)}/resume`),
    dbtRan: async (results) =>
      (await post<{ readonly data: readonly DbtRanView[] }>("/v1/dbt/results", { results })).data,
  };
}

/** What the first of several calls answers that finds what it is asked for. */
async function firstFound<Answer>([call, ...others]: readonly (() => Promise<Answer>)[]): Promise<Answer> {
  if (call === undefined) throw new RangeError("no call to make");
  try {
    return await call();
  } catch (error) {
    if (error instanceof NotFoundError && others.length > 0) return await firstFound(others);
    throw error;
  }
}

interface Calls {
  readonly get: (path: string) => Promise<RunView>;
  readonly post: (path: string) => Promise<RunView>;
}

async function waitForEnd(
  id: string,
  { get, post }: Calls,
  options: Parameters<Operations["waitForRun"]>[1],
): Promise<RunView> {
  let cancelled = false;
  for (;;) {
    const run = await get(`/v1/runs/${encodeURIComponent(id)}`);
    options.onProgress?.(run);
    if (run.ended_at !== null || run.status === "held") return run;
    if (options.signal?.aborted && !cancelled) {
      cancelled = true;
      await post(`/v1/runs/${encodeURIComponent(id)}/cancel`);
    }
    await sleep(pollMs);
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

async function send(
  { url, key }: { url: string; key: string | undefined },
  method: Method,
  path: string,
  body: unknown,
): Promise<Response> {
  try {
    return await fetch(new URL(path, url), {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new SluiceError("service_unreachable", `No service answers at ${url}: ${messageOf(cause)}`, {
      cause,
      hint: 'Is it running? "sluice start" starts it.',
    });
  }
}

/** Reads a problem document back into the error that it tells of. */
async function problemOf(response: Response, url: string): Promise<SluiceError> {
  const problem: unknown = await response.json().catch(() => null);
  const text = (name: string): string | undefined => {
    const value =
      typeof problem === "object" && problem !== null && name in problem
        ? (problem as Record<string, unknown>)[name]
        : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const code = text("code") ?? "unexpected_answer";
  const message = text("detail") ?? `${url} answered ${response.status}`;
  const hint = text("hint");
  const detail = hint === undefined ? {} : { hint };
  if (response.status === 404) return new NotFoundError(code, message, detail);
  return response.status === 422 ? new UsageError(code, message, detail) : new SluiceError(code, message, detail);
}

function query(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}
