/**
 * A Braze workspace in memory: users with attributes, what `/users/track` refuses of them and what it drops without a word. Shapes follow
 * Braze's reference of its REST API.
 */
import { z } from "zod";
import { RateWindow } from "../../src/rate-window.ts";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";

const seedSchema = z.strictObject({
  /** The keys that it takes. None given: any but `expired`. */
  keys: z.array(z.string()).optional(),
  users: z.array(z.looseObject({ external_id: z.string() })).default([]),
  /** External ids that Braze blocks as spam: they are refused by place. */
  blocked: z.array(z.string()).default([]),
});

type Values = Readonly<Record<string, unknown>>;

const mostTracked = 75;
const mostNamed = 50;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const window = new RateWindow(3000, 3000, now);
  const open = (): Map<string, Values> => new Map(given.users.map((user) => [user.external_id, user]));
  let users = open();
  return {
    failures,
    distort,
    contents: () => ({ users: Object.fromEntries(users) }),
    reset: () => {
      users = open();
      window.clear();
    },
    handle: (request) => {
      const key = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
      const isKnown = given.keys ? given.keys.includes(key ?? "") : key !== undefined && key !== "expired";
      if (!isKnown) return unauthorized;
      if (limits && !window.enter()) return failures["rate_limit"] ?? { status: 429 };
      return route(request, users, new Set(given.blocked));
    },
  };
};

export default createSandbox;

function route(
  { method, path, body }: SandboxRequest,
  users: Map<string, Values>,
  blocked: ReadonlySet<string>,
): SandboxResponse {
  switch (`${method} ${path}`) {
    case "POST /users/track":
      return track(body, users, blocked);
    case "POST /users/delete":
      return destroy(body, users);
    case "POST /users/export/ids":
      return exported(body, users);
    default:
      return { status: 404, body: { message: "Invalid URL" } };
  }
}

const trackSchema = z.object({ attributes: z.array(z.record(z.string(), z.unknown())).min(1) });

function track(body: unknown, users: Map<string, Values>, blocked: ReadonlySet<string>): SandboxResponse {
  const asked = trackSchema.safeParse(body).data;
  if (!asked) return refusal("Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.");
  if (asked.attributes.length > mostTracked) return refusal("Request exceeds the maximum of 75 attributes objects.");
  const errors: unknown[] = [];
  for (const [index, attributes] of asked.attributes.entries()) {
    const type = faultOf(attributes, blocked);
    if (type === undefined) keep(attributes, users);
    else errors.push({ type, input_array: "attributes", index });
  }
  if (errors.length === asked.attributes.length) return { status: 400, body: { message: "No valid users.", errors } };
  const attributes_processed = asked.attributes.length - errors.length;
  return { status: 201, body: { message: "success", attributes_processed, ...(errors.length > 0 ? { errors } : {}) } };
}

function faultOf({ external_id: id }: Values, blocked: ReadonlySet<string>): string | undefined {
  if (typeof id !== "string" || id === "")
    return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required";
  return blocked.has(id) ? "The user is blocked" : undefined;
}

/** What it does not take for a value, Braze leaves out without a word; of a text it keeps 255 characters. */
function keep({ _update_existing_only: existingOnly, ...attributes }: Values, users: Map<string, Values>): void {
  const id = String(attributes["external_id"]);
  const before = users.get(id);
  if (existingOnly === true && before === undefined) return;
  const merged = Object.entries({ ...before, ...attributes }).filter(
    ([name, value]) => value !== null && takes(name, value),
  );
  users.set(
    id,
    Object.fromEntries(merged.map(([name, value]) => [name, typeof value === "string" ? value.slice(0, 255) : value])),
  );
}

function takes(name: string, value: unknown): boolean {
  if (name === "email") return typeof value === "string" && value.includes("@");
  if (name === "country") return typeof value === "string" && /^[A-Z]{2}$/.test(value);
  if (name === "dob") return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value);
  return name !== "gender" || ["M", "F", "O", "N", "P"].includes(String(value));
}

const idsSchema = z.object({ external_ids: z.array(z.string()).min(1).max(mostNamed) });

function destroy(body: unknown, users: Map<string, Values>): SandboxResponse {
  const asked = idsSchema.safeParse(body).data;
  if (!asked) return refusal("external_ids must be an array of at most 50");
  const deleted = asked.external_ids.filter((id) => users.delete(id)).length;
  return { status: 200, body: { deleted, message: "success" } };
}

function exported(body: unknown, users: ReadonlyMap<string, Values>): SandboxResponse {
  const asked = idsSchema.safeParse(body).data;
  if (!asked) return refusal("external_ids must be an array of at most 50");
  const found = asked.external_ids.filter((id) => users.has(id));
  const invalid_user_ids = asked.external_ids.filter((id) => !users.has(id));
  const shown = found.map((external_id) => ({ external_id }));
  return {
    status: 201,
    body: { message: "success", users: shown, ...(invalid_user_ids.length > 0 ? { invalid_user_ids } : {}) },
  };
}

function refusal(message: string): SandboxResponse {
  return { status: 400, body: { message } };
}

const unauthorized: SandboxResponse = { status: 401, body: { message: "Invalid API key" } };

/** Failures in Braze's words, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  rate_limit: { status: 429, headers: { "x-ratelimit-retry-after": "2" }, body: { message: "Rate limit exceeded" } },
  unavailable: { status: 503, body: { message: "Service Unavailable" } },
};

const trackedSchema = z.looseObject({ attributes_processed: z.int(), errors: z.array(z.unknown()).default([]) });

/** An answer that says nothing counts nobody; one that says too little counts fewer. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 201, body: { message: "success", attributes_processed: 0 } };
  const answer = trackedSchema.safeParse(response.body).data;
  if (!answer) return response;
  const { errors, attributes_processed: processed } = answer;
  const changed =
    kind === "partial" ? { attributes_processed: Math.floor(processed / 2) } : { errors: errors.toReversed() };
  return { ...response, body: { ...answer, ...changed } };
}
