/**
 * An Intercom workspace in memory: contacts and companies with custom attributes, tokens, the limit of ten seconds, and
 * Intercom's own words when it refuses. Shapes follow Intercom's published description of API 2.16; what is cut off
 * without a word, and the words about custom attributes, are from memory.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { failures, rateLimit, refusal, unauthorized } from "./sandbox/answers.ts";
import { attributeSchema, shownAttribute, standardAttributes } from "./sandbox/attributes.ts";
import { Companies, companySeed } from "./sandbox/companies.ts";
import { type ContactRules, Contacts, contactSeed } from "./sandbox/contacts.ts";

/** What the workspace has from the start. */
const seedSchema = z.object({
  /** The tokens it takes. None given: any but `wrong`. */
  tokens: z.array(z.object({ token: z.string(), writes: z.boolean().default(true) })).optional(),
  attributes: z.array(attributeSchema).default([]),
  contacts: z.array(contactSeed).default([]),
  companies: z.array(companySeed).default([]),
  admins: z.array(z.string()).default(["814860"]),
  /** Users with different external ids may have one e-mail address. */
  shared_emails: z.boolean().default(false),
  /** How long a search does not see a new contact: in Intercom, up to some minutes. */
  search_delay_ms: z.int().min(0).default(0),
  /** Standard fields of contacts in which changes are passed over without a word. */
  fixed_fields: z.array(z.string()).default([]),
});

type Seed = z.output<typeof seedSchema>;

const slice = { requests: 1667, perMs: 10_000 };

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const window = new RateWindow(slice.requests, slice.perMs, now);
  let workspace = new Workspace(given, now);
  const limitHeaders = (): Record<string, string> => ({
    "x-ratelimit-limit": String(slice.requests),
    "x-ratelimit-remaining": String(window.remaining),
    "x-ratelimit-reset": String(Math.ceil((now() + slice.perMs) / 1000)),
  });
  return {
    failures,
    contents: () => workspace.contents(),
    reset: () => {
      workspace = new Workspace(given, now);
      window.clear();
    },
    distort,
    handle: (request) => {
      const denied = denial(request, given);
      if (denied) return denied;
      const answer = limits && !window.enter() ? rateLimit(slice.requests) : workspace.handle(request);
      return { ...answer, headers: { ...limitHeaders(), ...answer.headers } };
    },
  };
};

export default createSandbox;

class Workspace {
  readonly #seed: Seed;
  readonly #contacts: Contacts;
  readonly #companies: Companies;
  #last = 0;

  constructor(seed: Seed, now: () => number) {
    this.#seed = seed;
    const newId = (): string => `6762f0dd1bb69f9f${(this.#last += 1).toString(16).padStart(8, "0")}`;
    this.#companies = new Companies(seed.attributes, newId, seed.companies);
    const { attributes, admins } = seed;
    const rules: ContactRules = {
      attributes,
      admins,
      sharedEmails: seed.shared_emails,
      searchDelayMs: seed.search_delay_ms,
      fixedFields: seed.fixed_fields,
      now,
      newId,
    };
    this.#contacts = new Contacts(rules, seed.contacts);
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const byId = <One extends { readonly id: string }>(all: readonly One[]): Readonly<Record<string, One>> =>
      Object.fromEntries(all.map((one) => [one.id, one]));
    return { contacts: byId(this.#contacts.all()), companies: byId(this.#companies.all()) };
  }

  handle(request: SandboxRequest): SandboxResponse {
    const [, area, ...path] = request.path.split("/");
    switch (area) {
      case "me":
        return me;
      case "data_attributes":
        return this.#attributes(request);
      case "contacts":
        return this.#contactRoute(path, request);
      case "companies":
        return this.#companyRoute(path, request);
      default:
        return unknown(request);
    }
  }

  #attributes({ query }: SandboxRequest): SandboxResponse {
    const custom = this.#seed.attributes.filter(({ archived }) => !archived).map(shownAttribute);
    const data = [...standardAttributes, ...custom].filter(
      ({ model }) => query["model"] === undefined || model === query["model"],
    );
    return { status: 200, body: { type: "list", data } };
  }

  #contactRoute([id, action, company]: readonly string[], request: SandboxRequest): SandboxResponse {
    const { method, body } = request;
    const contacts = this.#contacts;
    if (id === undefined) return method === "POST" ? contacts.create(body) : unknown(request);
    if (id === "search" && method === "POST") return contacts.search(body);
    if (id === "find_by_external_id" && method === "GET")
      return contacts.findByExternalId(decodeReserved(action ?? ""));
    if (action === "companies") return this.#attachmentRoute(id, company, request);
    switch (`${method} ${action ?? ""}`) {
      case "GET ":
        return contacts.get(id);
      case "PUT ":
        return contacts.update(id, body);
      case "DELETE ":
        return contacts.move(id, "delete");
      case "POST archive":
        return contacts.move(id, "archive");
      case "POST unarchive":
        return contacts.move(id, "unarchive");
      default:
        return unknown(request);
    }
  }

  /** Answers with the company. */
  #attachmentRoute(contact: string, company: string | undefined, { method, body }: SandboxRequest): SandboxResponse {
    const given = company ?? z.object({ id: z.string() }).safeParse(body).data?.id;
    if (given === undefined) return refusal(400, "parameter_not_found", "company not specified");
    const found = this.#companies.get(given);
    if (found.status !== 200) return found;
    const refused =
      method === "POST" && company === undefined
        ? this.#contacts.attach(contact, given)
        : this.#contacts.detach(contact, given);
    return refused ?? found;
  }

  #companyRoute([id]: readonly string[], request: SandboxRequest): SandboxResponse {
    const { method, query, body } = request;
    if (id === undefined) {
      if (method === "POST") return this.#companies.upsert(body);
      const companyId = query["company_id"];
      return method === "GET" && companyId !== undefined ? this.#companies.find(companyId) : unknown(request);
    }
    if (method === "PUT") return this.#companies.update(id, body);
    return method === "DELETE" ? this.#companies.remove(id) : unknown(request);
  }
}

/** The server has decoded all but what has a meaning in an address. */
function decodeReserved(step: string): string {
  return step.replaceAll(/%(2F|3F|23|3B|2C|3A|40|26|3D|2B|24)/gi, (escaped) => decodeURIComponent(escaped));
}

const me: SandboxResponse = {
  status: 200,
  body: {
    type: "admin",
    id: "814860",
    email: "admin@example.com",
    name: "Sandbox",
    app: { type: "app", id_code: "sandbox", name: "Sandbox", created_at: 0, timezone: "UTC", region: "US" },
  },
};

/** Why a request may not be made with its token or its version, if it may not. */
function denial({ headers, method, path }: SandboxRequest, { tokens }: Seed): SandboxResponse | undefined {
  const token = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
  const known = tokens?.find((one) => one.token === token);
  if (token === undefined || token === "wrong" || (tokens && !known)) return unauthorized;
  if (!/^(2\.\d+|Preview|Unstable)$/.test(headers["intercom-version"] ?? "2.16"))
    return refusal(400, "intercom_version_invalid", "The requested version could not be found");
  const writes = method !== "GET" && !path.endsWith("/search");
  return writes && known?.writes === false ? failures["forbidden"] : undefined;
}

function unknown({ method, path }: SandboxRequest): SandboxResponse {
  return refusal(404, "not_found", `The sandbox does not know ${method} ${path}.`);
}

const listSchema = z.looseObject({ type: z.literal("list"), data: z.array(z.unknown()) });
const recordSchema = z.looseObject({ id: z.string(), type: z.enum(["contact", "company"]) });

/** Most answers are about one record: one that leaves some out leaves out every second. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: {} };
  const list = listSchema.safeParse(response.body).data;
  if (list) {
    const { data } = list;
    const shown = kind === "partial" ? data.filter((_, at) => at % 2 === 0) : [...data.slice(1), ...data.slice(0, 1)];
    return { ...response, body: { ...list, data: shown } };
  }
  const one = recordSchema.safeParse(response.body).data;
  return kind === "partial" && one && /[13579bdf]$/.test(one.id) ? { ...response, body: {} } : response;
}
