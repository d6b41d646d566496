/** A remote adapter in memory: it speaks the protocol of README.md, and writes some of its objects as jobs. */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { type Asked, askedSchema, objectSchema, type Result, Store } from "./sandbox/store.ts";

const seedSchema = z.strictObject({
  /** The token that it takes. None given: any but `expired`. */
  token: z.string().optional(),
  /** The version that it says it speaks; null: it says none. */
  version: z.string().nullable().default("1"),
  /** How often a job is asked about before it is done. */
  looks: z.int().min(0).default(1),
  objects: z
    .record(z.string(), objectSchema)
    .prefault({ contacts: { match: "email", fields: { name: { type: "text" }, seats: { type: "integer" } } } }),
});

type Seed = z.output<typeof seedSchema>;

interface Job {
  readonly results: readonly Result[];
  looksLeft: number;
}

interface Account {
  readonly seed: Seed;
  readonly stores: ReadonlyMap<string, Store>;
  readonly jobs: Map<string, Job>;
}

function open(seed: Seed): Account {
  const stores = Object.entries(seed.objects).map(([name, object]) => [name, new Store(name, object)] as const);
  return { seed, stores: new Map(stores), jobs: new Map() };
}

const createSandbox: CreateSandbox = ({ seed = {} } = {}) => {
  const given = seedSchema.parse(seed);
  let account = open(given);
  return {
    failures,
    distort,
    contents: () =>
      Object.fromEntries([...account.stores].map(([name, { records }]) => [name, Object.fromEntries(records)])),
    reset: () => {
      account = open(given);
    },
    handle: (request) => {
      if (!isKnown(request, given)) return unauthorized;
      const spoken = request.headers["sluice-protocol"];
      const answer = spoken === "1" ? route(request, account) : unknownVersion;
      return given.version === null ? { ...answer, headers: {} } : speaking(answer, given.version);
    },
  };
};

export default createSandbox;

function speaking(answer: SandboxResponse, version = "1"): SandboxResponse {
  return { ...answer, headers: { ...answer.headers, "sluice-protocol": version } };
}

function isKnown({ headers }: SandboxRequest, { token }: Seed): boolean {
  const given = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
  return token === undefined ? given !== "expired" : given === token;
}

function route({ method, path, body }: SandboxRequest, account: Account): SandboxResponse {
  const { stores } = account;
  const job = /^\/jobs\/(.+)$/.exec(path)?.[1];
  if (method === "GET" && job !== undefined) return endOf(job, account);
  if (method === "GET" && path === "/") return { status: 200, body: { account: "Sandbox" } };
  if (method === "GET" && path === "/objects")
    return { status: 200, body: { objects: [...stores].map(([name, { title }]) => ({ name, title })) } };
  if (method !== "POST") return notFound;
  const { data: asked, error } = askedSchema.safeParse(body);
  if (!asked) return refusal(400, "request_invalid", z.prettifyError(error));
  const store = stores.get(asked.object);
  if (!store) return refusal(404, "unknown_object", `There is no object ${asked.object}.`);
  if (path === "/describe") return { status: 200, body: store.description() };
  if (path === "/read") return { status: 200, body: { records: asked.changes.map((one) => store.read(one, asked)) } };
  return path === "/write" ? write(asked, store, account) : notFound;
}

function write(asked: Asked, store: Store, { jobs, seed }: Account): SandboxResponse {
  if (!store.can(asked.operation)) {
    const message = `${asked.object} knows no ${asked.operation} by ${asked.match.join(" and ")}.`;
    return refusal(422, "operation_unsupported", message);
  }
  const results = asked.changes.map((change) => store.write(change, asked));
  if (!store.isSlow) return { status: 200, body: { results } };
  const job = `${asked.object}/${jobs.size + 1}`;
  jobs.set(job, { results, looksLeft: seed.looks });
  return { status: 202, headers: { "retry-after": "0" }, body: { job } };
}

function endOf(name: string, { jobs }: Account): SandboxResponse {
  const job = jobs.get(decodeURIComponent(name));
  if (!job) return refusal(404, "unknown_job", "There is no such job.");
  job.looksLeft -= 1;
  if (job.looksLeft >= 0) return { status: 202, headers: { "retry-after": "0" }, body: { job: name } };
  return { status: 200, body: { results: job.results } };
}

function refusal(status: number, code: string, message: string): SandboxResponse {
  return { status, body: { code, message } };
}

const notFound = refusal(404, "unknown_path", "The protocol knows no such request.");
const unauthorized = speaking(refusal(401, "token_refused", "The token is not known."));
const unknownVersion = refusal(400, "protocol_unknown", "This adapter speaks version 1 of the protocol.");

/** Failures in the protocol's words, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  busy: speaking({ ...refusal(429, "rate_limit", "Ten requests a second."), headers: { "retry-after": "3" } }),
  unavailable: speaking(refusal(503, "vendor_down", "The vendor does not answer.")),
  not_json: speaking({ status: 200, text: "<html>" }),
  not_of_the_protocol: speaking({ status: 200, body: { results: "all done" } }),
};

const resultsSchema = z.looseObject({ results: z.array(z.unknown()) });

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return speaking({ status: 200, body: { results: [] } });
  const answer = resultsSchema.safeParse(response.body).data;
  if (!answer) return response;
  const results = kind === "partial" ? answer.results.filter((_, at) => at % 2 === 0) : answer.results.toReversed();
  return { ...response, body: { ...answer, results } };
}
