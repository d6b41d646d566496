/** A Loops team in memory: contacts with their properties, and Loops's own words. Shapes follow Loops's OpenAPI document. */
import { z } from "zod";
import { RateWindow } from "../../src/rate-window.ts";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";

const valuesSchema = z.record(z.string(), z.unknown());
type Values = Readonly<Record<string, unknown>>;

const seedSchema = z.strictObject({
  /** The keys that it takes. None given: any but `expired`. */
  keys: z.array(z.string()).optional(),
  properties: z
    .array(z.strictObject({ key: z.string(), label: z.string(), type: z.string() }))
    .default([{ key: "plan", label: "Plan", type: "string" }]),
  contacts: z.array(z.looseObject({ email: z.string(), userId: z.string().nullable().default(null) })).default([]),
});

interface Team {
  readonly properties: z.output<typeof seedSchema>["properties"];
  readonly contacts: Map<string, Values>;
  made: number;
}

function open({ properties, contacts }: z.output<typeof seedSchema>): Team {
  const team: Team = { properties, contacts: new Map(), made: 0 };
  for (const contact of contacts) keep(contact, undefined, team);
  return team;
}

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const window = new RateWindow(10, 1000, now);
  let team = open(given);
  return {
    failures,
    distort: (kind, response) => (kind === "shuffle" ? response : { ...response, body: {} }),
    contents: () => ({ contacts: Object.fromEntries(team.contacts) }),
    reset: () => {
      team = open(given);
      window.clear();
    },
    handle: (request) => {
      const key = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1];
      const isKnown = given.keys ? given.keys.includes(key ?? "") : key !== undefined && key !== "expired";
      if (!isKnown) return unauthorized;
      return limits && !window.enter() ? tooMany : route(request, team);
    },
  };
};

export default createSandbox;

function route({ method, path, query, body }: SandboxRequest, team: Team): SandboxResponse {
  const given = valuesSchema.safeParse(body).data ?? {};
  switch (`${method} ${path}`) {
    case "GET /v1/api-key":
      return { status: 200, body: { success: true, teamName: "Sandbox" } };
    case "GET /v1/contacts/properties":
      return { status: 200, body: team.properties };
    case "GET /v1/contacts/find":
      return isOne(query) ? { status: 200, body: foundBy(query, team).map(([, contact]) => contact) } : oneOnly;
    case "POST /v1/contacts/create":
      return foundBy(given, team).length > 0 ? exists : written(given, undefined, team);
    case "PUT /v1/contacts/update":
      return written(given, foundBy(given, team)[0], team);
    case "POST /v1/contacts/delete":
      return isOne(given) ? deleted(given, team) : oneOnly;
    default:
      return { status: 404, body: { success: false, message: "Not found." } };
  }
}

type Held = readonly [id: string, contact: Values];

/** Contacts that have either identifier. */
function foundBy({ email, userId }: Values, { contacts }: Team): readonly Held[] {
  return [...contacts].filter(
    ([, held]) =>
      (email !== undefined && lower(held["email"]) === lower(email)) ||
      (userId !== undefined && userId !== null && held["userId"] === userId),
  );
}

function lower(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}

function isOne({ email, userId }: Values): boolean {
  return (email === undefined) !== (userId === undefined);
}

function written(given: Values, found: Held | undefined, team: Team): SandboxResponse {
  const fault = faultOf(given, found, team);
  return fault === undefined ? { status: 200, body: { success: true, id: keep(given, found, team) } } : refusal(fault);
}

function faultOf({ email, ...given }: Values, found: Held | undefined, { properties }: Team): string | undefined {
  if (email === undefined && !found) return "Contact not found. An email is needed to create one.";
  if (email !== undefined && !isEmail(email)) return "Invalid email address";
  const custom = new Map(properties.map(({ key, type }) => [key, type]));
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "string" && value.length > 500) return `${name} is longer than 500 characters`;
    const type = custom.get(name);
    if (value === null || type === undefined || type === "string") continue;
    const fits = type === "date" ? isDate(value) : typeof value === type;
    if (!fits) return `${name} must be a ${type}`;
  }
  return undefined;
}

function isEmail(value: unknown): boolean {
  return typeof value === "string" && /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value);
}

/** Milliseconds, or text that says a time. */
function isDate(value: unknown): boolean {
  return (typeof value === "string" || typeof value === "number") && !Number.isNaN(new Date(value).getTime());
}

function keep(given: Values, found: Held | undefined, team: Team): string {
  const id = found?.[0] ?? `cl${(team.made += 1).toString().padStart(8, "0")}`;
  const before: Values = found?.[1] ?? { id, email: null, userId: null, subscribed: true };
  team.contacts.set(id, { ...before, ...given });
  return id;
}

function deleted(given: Values, team: Team): SandboxResponse {
  const [found] = foundBy(given, team);
  if (!found) return { status: 404, body: { success: false, message: "Contact not found." } };
  team.contacts.delete(found[0]);
  return { status: 200, body: { success: true, message: "Contact deleted." } };
}

function refusal(message: string): SandboxResponse {
  return { status: 400, body: { success: false, message } };
}

const oneOnly = refusal("Only one parameter is allowed: email or userId.");
const exists: SandboxResponse = {
  status: 409,
  body: { success: false, message: "Email or userId is already on list." },
};
const unauthorized: SandboxResponse = { status: 401, body: { error: "Invalid API key" } };
const tooMany: SandboxResponse = {
  status: 429,
  headers: { "x-ratelimit-limit": "10", "x-ratelimit-remaining": "0" },
  body: { success: false, message: "Too many requests." },
};

/** Failures in Loops's words, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  too_many: tooMany,
  unavailable: { status: 503, body: { success: false, message: "Service unavailable." } },
};
