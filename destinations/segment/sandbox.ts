/**
 * A Segment workspace in memory: sources with their write keys, what became of the profiles, and what was dropped. Like
 * Segment it answers 200 to nearly everything, to events that it drops and to write keys that it does not know.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { Workspace } from "./sandbox/workspace.ts";

/** What the workspace has from the start. */
const seedSchema = z.object({
  /** None given: any write key but those that begin with "unknown". */
  sources: z
    .array(
      z.object({
        write_key: z.string(),
        region: z.enum(["us", "eu"]).default("us"),
        enabled: z.boolean().default(true),
      }),
    )
    .optional(),
});

type Sources = z.output<typeof seedSchema>["sources"];
type Source = NonNullable<Sources>[number];

const taken: SandboxResponse = { status: 200, body: { success: true } };

function refused(message: string): SandboxResponse {
  return { status: 400, body: { success: false, message } };
}

const limited: SandboxResponse = {
  status: 429,
  headers: { "retry-after": "1", "x-ratelimit-reset": "1" },
  body: { success: false, message: "Too many requests" },
};

/** Failures in Segment's form, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: limited,
  rate_limit_reset_only: { ...limited, headers: { "x-ratelimit-reset": "12" } },
  invalid_write_key: refused("An invalid write key was provided"),
  too_large: refused("Exceeded the request size limit"),
  no_success: { status: 200, body: { success: false } },
  gateway_502: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};

/** The HTTP Tracking API's limit, for a workspace. */
const requestsPerSecond = 1000;

const mostRequestBytes = 500_000;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const { sources } = seedSchema.parse(seed);
  const window = new RateWindow(requestsPerSecond, 1000, now);
  let workspace = new Workspace(now);
  return {
    failures,
    contents: () => workspace.contents(),
    reset: () => {
      workspace = new Workspace(now);
      window.clear();
    },
    // An answer never mentions an event, so one that leaves some out says nothing, and none has an order.
    distort: (kind, response) => (kind === "shuffle" ? response : { status: 200, body: {} }),
    handle: (request) => {
      if (request.method === "GET") return publish(request, sources);
      if (limits && !window.enter()) return limited;
      return ingest(request, sources, workspace);
    },
  };
};

export default createSandbox;

function find(writeKey: string, sources: Sources): Source | undefined {
  if (sources) return sources.find(({ write_key }) => write_key === writeKey);
  return writeKey.startsWith("unknown") ? undefined : { write_key: writeKey, region: "us", enabled: true };
}

const hosts = { us: "api.segment.io/v1", eu: "events.eu1.segmentapis.com/v1" } as const;

/** A source's settings, as its clients ask for them. */
function publish({ path }: SandboxRequest, sources: Sources): SandboxResponse {
  const writeKey = /^\/v1\/projects\/([^/]+)\/settings$/.exec(path)?.[1];
  const source = writeKey === undefined ? undefined : find(decodeURIComponent(writeKey), sources);
  if (!source?.enabled) return { status: 404, body: { message: "Not Found" } };
  const own = { apiKey: source.write_key, apiHost: hosts[source.region], unbundledIntegrations: [] };
  return { status: 200, body: { integrations: { "Segment.io": own }, plan: { track: {}, identify: {}, group: {} } } };
}

const batchSchema = z.looseObject({ batch: z.array(z.unknown()) });

function ingest(request: SandboxRequest, sources: Sources, workspace: Workspace): SandboxResponse {
  const [, call] = /^\/v1\/(batch|identify|group|track)$/.exec(request.path) ?? [];
  if (call === undefined || request.method !== "POST") return { status: 404, body: { message: "Not Found" } };
  if (Number(request.headers["content-length"] ?? 0) > mostRequestBytes) return failures["too_large"] ?? taken;
  const body = z.looseObject({ writeKey: z.unknown().optional() }).safeParse(request.body).data;
  if (!body) return refused("malformed JSON");
  const events = call === "batch" ? batchSchema.safeParse(body).data?.batch : [{ ...body, type: call }];
  if (!events) return refused("batch must be a list");
  const writeKey = writeKeyOf(request, body.writeKey);
  // Segment looks at the form of a key only; whose it is it finds out after it has answered.
  if (writeKey.length < 8) return failures["invalid_write_key"] ?? taken;
  const source = find(writeKey, sources);
  workspace.take(events, source?.enabled ? undefined : source ? "source_disabled" : "project_not_found");
  return taken;
}

function writeKeyOf({ headers }: SandboxRequest, given: unknown): string {
  if (typeof given === "string") return given;
  const [, encoded = ""] = /^Basic (.+)$/.exec(headers["authorization"] ?? "") ?? [];
  return Buffer.from(encoded, "base64").toString("utf8").replace(/:$/, "");
}
