/**
 * A Pipedrive company in memory: persons, organizations and deals with custom fields, a search that sees late and takes no account of
 * capitals, the burst and the day's budget of tokens, and Pipedrive's own words when it refuses. Shapes follow Pipedrive's published
 * description of its API v2.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { appsSchema, TokenEndpoint } from "../../src/token-endpoint.ts";
import { Allowance } from "./sandbox/allowance.ts";
import { notFound, refusal, success } from "./sandbox/answers.ts";
import { fieldSchema, type PipedriveField, shownFields } from "./sandbox/fields.ts";
import { type Kept, Records } from "./sandbox/records.ts";

const fieldsOfSeed = z.array(fieldSchema).default([]);
const recordsOfSeed = z.array(z.looseObject({})).default([]);

const seedSchema = z.strictObject({
  /** The API tokens that it takes. None given: any but `wrong`. */
  tokens: z.array(z.string()).optional(),
  /** OAuth apps that may ask for access tokens. */
  clients: appsSchema,
  person_fields: fieldsOfSeed,
  organization_fields: fieldsOfSeed,
  deal_fields: fieldsOfSeed,
  persons: recordsOfSeed,
  organizations: recordsOfSeed,
  deals: recordsOfSeed,
  /** Records may be made without a name. */
  nameless: z.boolean().default(false),
  /** How long it takes until the search sees a new record. */
  search_delay_ms: z.int().min(0).default(0),
  /** Texts are kept in capitals, to be an answer that shows another value than was sent. */
  shouts: z.boolean().default(false),
  /** What a day has of tokens. */
  daily_tokens: z.int().default(30_000),
});

type Seed = z.output<typeof seedSchema>;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  let company = new Company(given, now);
  const allowance = new Allowance(given.daily_tokens, now);
  return {
    failures,
    distort,
    contents: () => company.contents(),
    reset: () => {
      company = new Company(given, now);
      allowance.clear();
    },
    handle: (request) => {
      if (request.path === "/oauth/token") return company.token(request);
      if (!company.knows(request)) return unauthorized;
      const spent = limits ? allowance.spend(request) : undefined;
      const answer = spent ?? company.handle(request);
      return limits ? { ...answer, headers: { ...allowance.headers(), ...answer.headers } } : answer;
    },
  };
};

export default createSandbox;

class Company {
  readonly #seed: Seed;
  readonly #endpoint: TokenEndpoint;
  readonly #fields: Readonly<Record<string, readonly PipedriveField[]>>;
  readonly #records: ReadonlyMap<string, Records>;

  constructor(seed: Seed, now: () => number) {
    this.#seed = seed;
    this.#endpoint = new TokenEndpoint(seed.clients, { prefix: "pipedrive", now });
    const [persons, organizations, deals] = [seed.person_fields, seed.organization_fields, seed.deal_fields];
    this.#fields = { personFields: persons, organizationFields: organizations, dealFields: deals };
    const rules = {
      now,
      nameless: seed.nameless,
      searchDelayMs: seed.search_delay_ms,
      shouts: seed.shouts,
      isThere: (object: string, id: number): boolean => this.#records.get(object)?.isThere(id) ?? false,
    };
    this.#records = new Map([
      ["organizations", new Records("organizations", organizations, rules)],
      ["persons", new Records("persons", persons, rules)],
      ["deals", new Records("deals", deals, rules)],
    ]);
    for (const [object, records] of this.#records)
      for (const one of seed[object as "persons"]) records.seed(one as Partial<Kept>);
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    return Object.fromEntries([...this.#records].map(([object, records]) => [object, records.contents()]));
  }

  knows({ headers }: SandboxRequest): boolean {
    const bearer = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
    if (bearer !== undefined) return this.#endpoint.opens(bearer);
    const token = headers["x-api-token"] ?? "";
    return this.#seed.tokens?.includes(token) ?? (token !== "" && token !== "wrong");
  }

  /** Pipedrive takes an app's secret in a header, not in the form. */
  token({ form = {}, headers }: SandboxRequest): SandboxResponse {
    const basic = /^Basic (.+)$/.exec(headers["authorization"] ?? "")?.[1] ?? "";
    const [client_id = "", client_secret = ""] = Buffer.from(basic, "base64").toString().split(":");
    return this.#endpoint.answer({ ...form, client_id, client_secret });
  }

  handle(request: SandboxRequest): SandboxResponse {
    const [, api, version, area = "", name, ...rest] = request.path.split("/");
    if (api !== "api" || rest.length > 0) return notFound;
    if (version === "v1" && area === "users" && name === "me") return success(me);
    if (version !== "v2") return notFound;
    const fields = this.#fields[area];
    if (fields && name === undefined && request.method === "GET") return shownFields(fields, request.query);
    return this.#records.get(area)?.handle(request, name) ?? notFound;
  }
}

const me = { id: 1, name: "Sandy Box", company_name: "Sandbox", company_domain: "sandbox" };

const unauthorized = refusal(401, "unauthorized access", "ERR_UNAUTHORIZED");

/** Failures in Pipedrive's words, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  burst: { ...refusal(429, "request over limit", "ERR_RATE_LIMIT"), headers: { "x-ratelimit-reset": "2" } },
  budget: {
    ...refusal(429, "request over limit", "ERR_RATE_LIMIT"),
    headers: { "x-ratelimit-reset": "2", "x-daily-ratelimit-token-remaining": "0" },
  },
  shut_out: { status: 403, headers: { "content-type": "text/html" }, text: "<html>Access denied</html>" },
  limit_reached: refusal(403, "Couldn't add the deal. Open deals limit reached.", "ERR_DEALS_LIMIT"),
  account_closed: refusal(402, "Company account is not open", "ERR_PAYMENT_REQUIRED"),
  unavailable: refusal(503, "Scheduled maintenance", "ERR_UNAVAILABLE"),
};

/** What an answer shows: a list of its search, a list, or one record. */
const shownSchema = z.looseObject({
  data: z.union([z.object({ items: z.array(z.unknown()) }), z.array(z.unknown()), z.looseObject({ id: z.int() })]),
});

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: { success: true } };
  const answer = shownSchema.safeParse(response.body).data;
  if (!answer) return response;
  const { data } = answer;
  if (kind === "partial")
    return "id" in data && Number(data.id) % 2 === 1 ? { ...response, body: { ...answer, data: null } } : response;
  if (Array.isArray(data)) return { ...response, body: { ...answer, data: data.toReversed() } };
  if (!("items" in data)) return response;
  return { ...response, body: { ...answer, data: { items: (data.items as unknown[]).toReversed() } } };
}
