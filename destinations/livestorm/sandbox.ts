/**
 * A Livestorm workspace in memory: sessions with their registrants, people attributes, tokens, the limits of a second
 * and of 30 days, and Livestorm's refusals. Shapes follow Livestorm's API reference; the words of refusals, and that
 * fields which a form has not are passed over, are from memory.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { failures, notFound, refusal, tooMany, unauthorized } from "./sandbox/answers.ts";
import {
  type Attribute,
  attributeSchema,
  builtin,
  Registrants,
  type Session,
  sessionSchema,
} from "./sandbox/registrants.ts";

/** What the workspace has from the start. */
const seedSchema = z.object({
  /** The tokens it takes. None given: any but `wrong`. */
  tokens: z.array(z.object({ token: z.string(), scopes: z.array(z.string()).optional() })).optional(),
  attributes: z.array(attributeSchema).default([]),
  sessions: z
    .array(sessionSchema)
    .default([{ id: "5a3c1c7e-0000-4000-8000-000000000001", name: "Demo", status: "upcoming" }]),
  team_members: z.array(z.object({ id: z.string(), session: z.string(), email: z.string() })).default([]),
  /** How many more people the plan takes. */
  active_contacts: z.int().default(1_000_000),
  monthly_calls: z.int().default(10_000),
  /** An e-mail address once registered stays, whatever is sent. */
  keeps_address: z.boolean().default(false),
});

type Seed = z.output<typeof seedSchema>;

const thirtyDaysMs = 30 * 86_400_000;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const second = new RateWindow(5, 1000, now);
  const month = new RateWindow(given.monthly_calls, thirtyDaysMs, now);
  let workspace = new Workspace(given);
  const limitHeaders = (): Record<string, string> => ({
    "ratelimit-monthly-limit": String(given.monthly_calls),
    "ratelimit-monthly-remaining": String(month.remaining),
    "ratelimit-interval-limit": "5",
    "ratelimit-interval-remaining": String(second.remaining),
  });
  const exceeded = (): SandboxResponse | undefined => {
    if (!limits) return undefined;
    if (!second.enter()) return tooMany(1);
    return month.enter() ? undefined : tooMany(86_400);
  };
  return {
    failures,
    contents: () => workspace.contents(),
    reset: () => {
      workspace = new Workspace(given);
      second.clear();
      month.clear();
    },
    distort,
    handle: (request) => {
      const denied = denial(request, given);
      if (denied) return denied;
      const answer = exceeded() ?? workspace.handle(request);
      return { ...answer, headers: { ...limitHeaders(), ...answer.headers } };
    },
  };
};

export default createSandbox;

class Workspace {
  readonly #attributes: readonly Attribute[];
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #registrants: Registrants;
  readonly #contacts: number;

  constructor({ attributes, sessions, team_members, active_contacts, keeps_address }: Seed) {
    this.#attributes = [...builtin, ...attributes];
    this.#sessions = new Map(sessions.map((session) => [session.id, session]));
    this.#contacts = active_contacts + team_members.length;
    const team = team_members.map((one) => ({ ...one, role: "team_member" as const, fields: {}, origin: {} }));
    this.#registrants = new Registrants(this.#attributes, keeps_address, team);
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    return { registrants: Object.fromEntries(this.#registrants.all().map((one) => [one.id, one])) };
  }

  handle(request: SandboxRequest): SandboxResponse {
    const [, version, area = "", ...path] = request.path.split("/");
    if (version !== "v1") return notFound;
    switch (`${request.method} ${area}`) {
      case "GET ping":
        return { status: 200 };
      case "GET organization":
        return { status: 200, body: { data: { id: "1", type: "organizations", attributes: { name: "Sandbox" } } } };
      case "GET people_attributes":
        return this.#attributePage(request.query);
      default:
        return area === "sessions" ? this.#sessionRoute(path, request) : notFound;
    }
  }

  /** Pages are counted from 0. */
  #attributePage(query: Readonly<Record<string, string>>): SandboxResponse {
    const size = Math.min(Math.max(Number(query["page[size]"] ?? 10), 1), 100);
    const page = Number(query["page[number]"] ?? 0);
    const shown = this.#attributes.slice(page * size, (page + 1) * size);
    const next = (page + 1) * size < this.#attributes.length ? page + 1 : null;
    const data = shown.map((attributes) => ({ id: attributes.slug, type: "people_attributes", attributes }));
    return { status: 200, body: { data, meta: { current_page: page, next_page: next, items_per_page: size } } };
  }

  #sessionRoute([id = "", people, person]: readonly string[], request: SandboxRequest): SandboxResponse {
    const session = this.#sessions.get(id);
    if (!session) return notFound;
    const { method, body, query } = request;
    const { name, status } = session;
    if (people === undefined && method === "GET")
      return { status: 200, body: { data: { id, type: "sessions", attributes: { name, status } } } };
    if (people !== "people") return notFound;
    switch (`${method} ${person === undefined ? "all" : "one"}`) {
      case "GET all":
        return this.#registrants.list(session, query);
      case "POST all":
        if (this.#registrants.all().length >= this.#contacts) return failures["contacts_used_up"] ?? notFound;
        return this.#registrants.register(session, body);
      case "PATCH one":
        return this.#registrants.update(session, person ?? "", body);
      case "DELETE one":
        return this.#registrants.remove(session, person ?? "");
      default:
        return notFound;
    }
  }
}

/** Why a request may not be made with its token, if it may not. */
function denial({ headers, method, path }: SandboxRequest, { tokens }: Seed): SandboxResponse | undefined {
  const token = headers["authorization"] ?? "";
  // With this prefix, a token is looked for among those of OAuth.
  if (token.startsWith("Bearer "))
    return { ...unauthorized, headers: { "www-authenticate": 'Bearer realm="Doorkeeper", error="invalid_token"' } };
  const known = tokens?.find((one) => one.token === token);
  if (token === "" || token === "wrong" || (tokens && !known)) return unauthorized;
  const area = path.includes("/sessions/") || path.includes("/people_attributes") ? "events" : "identity";
  const scope = `${area}:${method === "GET" ? "read" : "write"}`;
  if (!known?.scopes || known.scopes.includes(scope)) return undefined;
  return refusal(403, "forbidden", "Forbidden", `The token lacks the scope ${scope}.`);
}

const manySchema = z.looseObject({ data: z.array(z.unknown()) });
const oneSchema = z.looseObject({ data: z.looseObject({ id: z.string(), type: z.literal("people") }) });

/** Most answers are about one person: one that leaves some out leaves out every second. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: { data: null } };
  const many = manySchema.safeParse(response.body).data;
  if (many) {
    const { data } = many;
    const shown = kind === "partial" ? data.filter((_, at) => at % 2 === 0) : [...data.slice(1), ...data.slice(0, 1)];
    return { ...response, body: { ...many, data: shown } };
  }
  const one = oneSchema.safeParse(response.body).data;
  return kind === "partial" && one && /[13579bdf]$/.test(one.data.id)
    ? { ...response, body: { data: null } }
    : response;
}
