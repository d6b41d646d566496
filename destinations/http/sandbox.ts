/**
 * A small service to try a declaration with: an in-house service's REST, and n8n's webhooks. What it keeps, what it
 * takes, who may ask and how fast is configured by its seed.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { accessSchema, mayAsk } from "./sandbox/access.ts";
import { Collection, collectionSchema } from "./sandbox/collection.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { Service } from "./sandbox/service.ts";
import { notRegistered, workflowError, Workflows, workflowSchema } from "./sandbox/workflows.ts";

const plan = { type: "string" as const, one_of: ["free", "starter", "scale"] };

const seedSchema = z.strictObject({
  access: accessSchema.default({}),
  rate: z.strictObject({ requests: z.int().min(1), per_ms: z.int().min(1) }).default({ requests: 50, per_ms: 1000 }),
  collections: z.record(z.string(), collectionSchema).prefault({
    accounts: { key: "account_id", unique: true, fields: { mrr: { type: "number" }, plan } },
    contacts: { key: "email", unique: true, fields: { name: { type: "string", max_length: 200 } } },
    events: { key: "event_id", unique: false, fields: {} },
  }),
  workflows: z.record(z.string(), workflowSchema).prefault({
    "account-metrics": {
      active: true,
      respond: "results",
      table: { key: "account_id", unique: true, fields: { plan } },
    },
    "account-news": { active: true, respond: "immediately", table: { key: "account_id", unique: true, fields: {} } },
  }),
});

type Seed = z.output<typeof seedSchema>;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  const window = new RateWindow(given.rate.requests, given.rate.per_ms, now);
  let account = new Account(given);
  let answered = 0;
  return {
    failures,
    contents: () => account.contents(),
    reset: () => {
      account = new Account(given);
      window.clear();
    },
    distort: (kind, response) => distort(kind, response, (answered += 1)),
    handle: (request) => {
      const webhook = isWebhook(request);
      if (!mayAsk(request, given.access, now())) return webhook ? workflowForbidden : unauthorized;
      if (limits && !window.enter()) return tooMany;
      return account.handle(request);
    },
  };
};

export default createSandbox;

class Account {
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #service: Service;
  readonly #workflows: Workflows;
  #lastId = 0;

  constructor({ collections, workflows }: Seed) {
    const newId = (): string => `rec_${(this.#lastId += 1)}`;
    this.#collections = new Map(
      Object.entries(collections).map(([name, rules]) => [name, new Collection(rules, newId)]),
    );
    this.#service = new Service(this.#collections);
    this.#workflows = new Workflows(workflows, newId);
  }

  contents(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    const collections = [...this.#collections].map(([name, collection]) => [name, collection.contents()] as const);
    return { ...Object.fromEntries(collections), ...this.#workflows.contents() };
  }

  handle(request: SandboxRequest): SandboxResponse {
    return isWebhook(request) ? this.#workflows.handle(request) : this.#service.handle(request);
  }
}

function isWebhook({ path }: SandboxRequest): boolean {
  return path.startsWith("/webhook/") || path.startsWith("/webhook-test/");
}

const unauthorized: SandboxResponse = {
  status: 401,
  headers: { "www-authenticate": "Bearer" },
  body: { ok: false, error: { code: "unauthorized", message: "The credential is missing or wrong." } },
};
const workflowForbidden: SandboxResponse = { status: 403, body: { message: "Authorization data is wrong!" } };
const tooMany: SandboxResponse = {
  status: 429,
  headers: { "retry-after": "1" },
  body: { ok: false, error: { code: "too_many_requests", message: "Too many requests." } },
};

const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  too_many_requests: tooMany,
  unavailable: { status: 503, body: { ok: false, error: { code: "unavailable", message: "Come back later." } } },
  locked: {
    status: 409,
    body: { ok: false, error: { code: "locked", message: "A job has the table locked.", retry_after: 3 } },
  },
  workflow_error: workflowError,
  workflow_not_registered: notRegistered("POST", "account-metrics", "webhook"),
};

const resultsSchema = z.looseObject({ results: z.array(z.unknown()) });

/** Of answers about one record, every other is left empty where some are to be left out. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse, nth: number): SandboxResponse {
  const silent = { status: 200, body: {} };
  if (kind === "silent") return silent;
  const answer = resultsSchema.safeParse(response.body);
  if (!answer.success) return kind === "partial" && nth % 2 === 0 ? silent : response;
  const { results } = answer.data;
  const shown = kind === "partial" ? results.filter((_, at) => at % 2 === 0) : results.toReversed();
  return { ...response, body: { results: shown } };
}
