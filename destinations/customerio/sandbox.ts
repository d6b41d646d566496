/**
 * A Customer.io workspace in memory: people with their identifiers, objects, relationships, segments, and what failed
 * without a word. Items are applied at once; Customer.io queues them. Shapes follow its published descriptions.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { appRefusal, failures, trackRefusal } from "./sandbox/answers.ts";
import { handleApp } from "./sandbox/app.ts";
import { handleBatch } from "./sandbox/batch.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { handleSegmentChange, Segments, segmentSeed } from "./sandbox/segments.ts";
import { objectTypeSeed, Workspace } from "./sandbox/workspace.ts";

/** What the workspace has from the start. */
const seedSchema = z.object({
  region: z.enum(["us", "eu"]).default("us"),
  /** The Track keys it takes. None given: any but `expired`. */
  trackKeys: z.array(z.object({ site_id: z.string(), api_key: z.string() })).optional(),
  /** The App API keys it takes. None given: any but `expired`. */
  appKeys: z.array(z.string()).optional(),
  objectTypes: z.array(objectTypeSeed).default([{ id: 1, name: "Companies", slug: "companies", enabled: true }]),
  segments: z.array(segmentSeed).default([]),
  people: z.array(z.record(z.string(), z.string())).default([]),
});

type Seed = z.output<typeof seedSchema>;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  let state = open(given, now);
  const windows = { track: new RateWindow(1000, 1000, now), app: new RateWindow(10, 1000, now) };
  return {
    failures,
    contents: () => ({ ...state.workspace.contents(), segments: state.segments.contents() }),
    reset: () => {
      state = open(given, now);
      windows.track.clear();
      windows.app.clear();
    },
    distort,
    handle: (request) => {
      const api = request.path.startsWith("/api/") ? "track" : "app";
      const denied = denial(request, given, api);
      if (denied) return denied;
      if (limits && !windows[api].enter()) return failures[`${api}_limit`] ?? { status: 429 };
      return api === "app" ? handleApp(request, state) : handleTrack(request, given, state);
    },
  };
};

export default createSandbox;

interface State {
  readonly workspace: Workspace;
  readonly segments: Segments;
}

function open({ objectTypes, segments, people }: Seed, now: () => number): State {
  const workspace = new Workspace(objectTypes, now);
  for (const identifiers of people) workspace.identify(identifiers, {});
  return { workspace, segments: new Segments(segments, now) };
}

function denial({ headers }: SandboxRequest, seed: Seed, api: "track" | "app"): SandboxResponse | undefined {
  const [scheme, credential = ""] = (headers["authorization"] ?? "").split(" ");
  if (api === "app") {
    const known = seed.appKeys ? seed.appKeys.includes(credential) : credential !== "expired" && credential !== "";
    return scheme === "Bearer" && known ? undefined : appRefusal(401, "unauthorized", "invalid_credentials");
  }
  const [siteId, key] = Buffer.from(credential, "base64").toString("utf8").split(":");
  const known = seed.trackKeys
    ? seed.trackKeys.some(({ site_id, api_key }) => site_id === siteId && api_key === key)
    : key !== undefined && key !== "expired";
  return scheme === "Basic" && known ? undefined : { status: 401, body: { meta: { error: "Unauthorized request" } } };
}

function handleTrack(request: SandboxRequest, { region }: Seed, { workspace, segments }: State): SandboxResponse {
  const { method, path } = request;
  if (method === "GET" && path === "/api/v1/accounts/region") {
    const url = `https://track${region === "eu" ? "-eu" : ""}.customer.io`;
    return { status: 200, body: { url, data_center: region, region, environment_id: 100_001 } };
  }
  if (method === "POST" && path === "/api/v2/batch") return handleBatch(request, workspace);
  const change = /^\/api\/v1\/segments\/(\d+)\/(add|remove)_customers$/.exec(path);
  if (method === "POST" && change)
    return handleSegmentChange(request, { id: Number(change[1]), verb: change[2] ?? "", segments, workspace });
  return trackRefusal(404, "not_found", "path", "page not found");
}

const errorsSchema = z.looseObject({ errors: z.array(z.record(z.string(), z.unknown())) });

/**
 * Success is an empty object here, so an answer says nothing, or too little, when it says that something was refused and
 * not what.
 */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 207, body: { errors: [] } };
  const told = errorsSchema.safeParse(response.body).data?.errors ?? [];
  if (kind === "shuffle") return told.length > 0 ? { ...response, body: { errors: told.toReversed() } } : response;
  const nameless = { reason: "invalid", field: "attributes", message: "is invalid" };
  return { status: 207, body: { errors: [...told, nameless] } };
}
