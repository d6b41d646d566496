/**
 * A Zendesk account in memory: users and organizations with custom fields, background jobs, e-mail identities, the
 * limits of a minute and of jobs, and Zendesk's own words when it refuses. Shapes follow Zendesk's published description
 * of its Support API; the words of refused records, and what becomes of deleted users' ids, are from memory.
 */
import { z } from "zod";
import { RateWindow } from "../../src/rate-window.ts";
import { appsSchema, TokenEndpoint } from "../../src/token-endpoint.ts";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { failures, forbidden, notFound, rateLimit, refusal, unauthorized } from "./sandbox/answers.ts";
import { failedForms, Jobs, type Result } from "./sandbox/jobs.ts";
import { organizationSeed, Organizations, shownOrganization } from "./sandbox/organizations.ts";
import { shownIdentities, shownUser, Users, userSeed } from "./sandbox/users.ts";
import { customFieldSchema, listIn, shownField, type Values } from "./sandbox/values.ts";

/** What the account has from the start. */
const seedSchema = z.object({
  /** The credentials it takes: `email/token:…` or a bearer token. None given: any but one that ends in `wrong`. */
  credentials: z.array(z.object({ secret: z.string(), role: z.string().default("admin") })).optional(),
  /** The OAuth clients that a user has let in. */
  clients: appsSchema,
  user_fields: z.array(customFieldSchema).default([]),
  organization_fields: z.array(customFieldSchema).default([]),
  users: z.array(userSeed).default([]),
  organizations: z.array(organizationSeed).default([]),
  groups: z.array(z.int()).default([]),
  /** Users can be made in bulk: Zendesk's support has to enable it. */
  bulk_import: z.boolean().default(true),
  nameless: z.boolean().default(false),
  requests_per_minute: z.int().default(200),
  job_ms: z.int().default(0),
  failed_rows: z.enum(failedForms).default("described"),
  /** How long a search does not see a new user. */
  search_delay_ms: z.int().default(0),
});

type Seed = z.output<typeof seedSchema>;

const minuteMs = 60_000;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const window = new RateWindow(given.requests_per_minute, minuteMs, now);
  let account = new Account(given, now);
  const secondsLeft = (): number => 60 - (Math.floor(now() / 1000) % 60);
  const limitHeaders = (): Record<string, string> => ({
    "x-rate-limit": String(given.requests_per_minute),
    "x-rate-limit-remaining": String(window.remaining),
    "ratelimit-limit": String(given.requests_per_minute),
    "ratelimit-remaining": String(window.remaining),
    "ratelimit-reset": String(secondsLeft()),
  });
  return {
    failures,
    contents: () => account.contents(),
    reset: () => {
      account = new Account(given, now);
      window.clear();
    },
    distort,
    handle: (request) => {
      const answer = limits && !window.enter() ? rateLimit(secondsLeft()) : account.handle(request);
      return { ...answer, headers: { ...limitHeaders(), ...answer.headers } };
    },
  };
};

export default createSandbox;

type Items = readonly Values[];

class Account {
  readonly #seed: Seed;
  readonly #users: Users;
  readonly #organizations: Organizations;
  readonly #jobs: Jobs;
  readonly #tokens: TokenEndpoint;
  #last = 0;

  constructor(seed: Seed, now: () => number) {
    this.#seed = seed;
    this.#tokens = new TokenEndpoint(seed.clients, { prefix: "zendesk", now });
    const newId = (): number => 360_000_000_000 + (this.#last += 1);
    const { job_ms: jobMs, failed_rows: failedForm, search_delay_ms: searchDelayMs, nameless, groups } = seed;
    this.#jobs = new Jobs({ now, jobMs, failedForm });
    this.#organizations = new Organizations({ fields: seed.organization_fields, groups, newId }, seed.organizations);
    const hasOrganization = (id: number): boolean => this.#organizations.has(id);
    const rules = { fields: seed.user_fields, newId, now, searchDelayMs, nameless, hasOrganization };
    this.#users = new Users(rules, seed.users);
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const byId = (all: readonly { readonly id: number }[]): Readonly<Record<string, unknown>> =>
      Object.fromEntries(all.map((one) => [String(one.id), one]));
    return { users: byId(this.#users.all()), organizations: byId(this.#organizations.all()) };
  }

  handle(request: SandboxRequest): SandboxResponse {
    if (request.path === "/oauth/tokens") return this.#tokens.answer(request.form ?? {});
    const role = this.#roleOf(request);
    if (request.path === "/api/v2/users/me")
      return role === undefined && hasCredential(request) ? unauthorized : me(role);
    if (role === undefined) return unauthorized;
    if (role === "end-user") return forbidden;
    const [, , , area = "", ...rest] = request.path.replace(/\.json$/, "").split("/");
    switch (area) {
      case "users":
        return this.#userRoute(rest, request, role);
      case "organizations":
        return this.#organizationRoute(rest, request, role);
      case "user_fields":
      case "organization_fields":
        return fieldPage(area, this.#seed[area].map(shownField), request.query);
      case "job_statuses":
        return request.method === "GET" ? this.#jobs.show(rest[0] ?? "") : unknown;
      default:
        return unknown;
    }
  }

  #roleOf({ headers }: SandboxRequest): string | undefined {
    const secret = secretIn(headers["authorization"]);
    if (secret === undefined) return undefined;
    if (this.#tokens.opens(secret)) return "admin";
    const { credentials } = this.#seed;
    if (credentials === undefined) return secret.endsWith("wrong") ? undefined : "admin";
    return credentials.find((one) => one.secret === secret)?.role;
  }

  #userRoute([action = "", area, identity]: readonly string[], request: SandboxRequest, role: string): SandboxResponse {
    const users = this.#users;
    const { method, query, body } = request;
    if (area === "identities") return this.#identityRoute(action, identity, method);
    if (action.startsWith("create") && !this.#seed.bulk_import) return forbidden;
    switch (`${method} ${action}`) {
      case "GET show_many":
        return page(
          "users",
          [...users.byIds(query["ids"]), ...users.byExternalIds(query["external_ids"])].map(shownUser),
        );
      case "GET search": {
        const owner = users.byExternalId(query["external_id"]);
        const email = /^email:"(.*)"$/.exec(query["query"] ?? "")?.[1];
        return page("users", (owner ? [owner] : users.search(email ?? "")).map(shownUser));
      }
      case "POST create_many":
        return this.#job(body, "users", (item, place) => users.create(item, place));
      case "POST create_or_update_many":
        return this.#job(body, "users", (item, place) => users.createOrUpdate(item, place));
      case "PUT update_many":
        return this.#job(body, "users", (item) => users.update(item));
      case "DELETE destroy_many":
        return role === "admin"
          ? this.#jobs.start(() => listIn(query["ids"]).map((id) => users.destroy(id)))
          : forbidden;
      default:
        return unknown;
    }
  }

  #identityRoute(user: string, identity: string | undefined, method: string): SandboxResponse {
    const found = identity === undefined && method === "GET" ? this.#users.byIds(user)[0] : undefined;
    const changed = identity !== undefined && method === "PUT" ? this.#users.makePrimary(user, identity) : undefined;
    const shown = found ?? changed;
    return shown ? { status: 200, body: { identities: shownIdentities(shown) } } : notFound;
  }

  #organizationRoute([action = ""]: readonly string[], request: SandboxRequest, role: string): SandboxResponse {
    const organizations = this.#organizations;
    const { method, query, body } = request;
    switch (`${method} ${action}`) {
      case "GET show_many": {
        const found = [...organizations.byIds(query["ids"]), ...organizations.byExternalIds(query["external_ids"])];
        return page("organizations", found.map(shownOrganization));
      }
      case "GET search": {
        const { name, external_id } = query;
        const found = name === undefined ? organizations.byExternalId(external_id) : organizations.byName(name);
        return page("organizations", found ? [shownOrganization(found)] : []);
      }
      case "POST create_many":
        return this.#job(body, "organizations", (item, place) => organizations.create(item, place));
      case "PUT update_many":
        return this.#job(body, "organizations", (item) => organizations.update(item));
      case "DELETE destroy_many":
        return role === "admin"
          ? this.#jobs.start(() => listIn(query["ids"]).map((id) => organizations.destroy(id)))
          : forbidden;
      default:
        return unknown;
    }
  }

  #job(
    body: unknown,
    part: "users" | "organizations",
    write: (item: Values, place: number) => Result,
  ): SandboxResponse {
    const items = z.object({ [part]: z.array(z.record(z.string(), z.unknown())) }).safeParse(body).data?.[part];
    if (!items) return refusal(400, "BadRequest", `${part} is missing`);
    if (items.length > 100) return refusal(400, "BadRequest", `${part} is limited to 100 records`);
    return this.#jobs.start(() => items.map(write));
  }
}

const unknown = refusal(404, "InvalidEndpoint", "Not found");

function hasCredential({ headers }: SandboxRequest): boolean {
  return headers["authorization"] !== undefined;
}

/** `email/token:…` of basic authentication, or the token of a bearer. */
function secretIn(authorization: string | undefined): string | undefined {
  const [, scheme, given = ""] = /^(Basic|Bearer) (.+)$/.exec(authorization ?? "") ?? [];
  if (scheme === undefined) return undefined;
  return scheme === "Bearer" ? given : Buffer.from(given, "base64").toString();
}

/** Who asks. Zendesk answers a stranger too: with a user without an id. */
function me(role: string | undefined): SandboxResponse {
  const user =
    role === undefined
      ? { id: null, name: "Anonymous user", email: "invalid@example.com", role: "end-user" }
      : { id: 1, name: "Sandbox", email: "admin@example.com", role };
  return { status: 200, body: { user } };
}

function page(part: string, records: Items): SandboxResponse {
  return { status: 200, body: { [part]: records, count: records.length, next_page: null, previous_page: null } };
}

function fieldPage(part: string, fields: Items, query: Readonly<Record<string, string>>): SandboxResponse {
  const number = Number(query["page"] ?? 1);
  const shown = fields.slice((number - 1) * 100, number * 100);
  const more = number * 100 < fields.length;
  const next_page = more ? `https://sandbox.zendesk.com/api/v2/${part}.json?page=${number + 1}` : null;
  return { status: 200, body: { [part]: shown, count: fields.length, next_page, previous_page: null } };
}

const jobSchema = z.looseObject({ job_status: z.looseObject({ results: z.array(z.unknown()) }) });
const lists = ["users", "organizations", "identities"] as const;

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: {} };
  const some = (all: readonly unknown[]): readonly unknown[] =>
    kind === "partial" ? all.filter((_, at) => at % 2 === 0) : [...all.slice(1), ...all.slice(0, 1)];
  const job = jobSchema.safeParse(response.body).data;
  if (job) return { ...response, body: { job_status: { ...job.job_status, results: some(job.job_status.results) } } };
  const body = z.record(z.string(), z.unknown()).safeParse(response.body).data ?? {};
  const part = lists.find((name) => Array.isArray(body[name]));
  if (part === undefined) return response;
  return { ...response, body: { ...body, [part]: some(z.array(z.unknown()).parse(body[part])) } };
}
