/**
 * A ChartMogul account in memory: data sources, customers with typed custom attributes and tags, API keys, the limit of a
 * second, and ChartMogul's own words when it refuses. Shapes follow ChartMogul's API reference and the exchanges that its
 * own client libraries recorded; the words about types are from memory.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { failures, rateLimit, refusal, unauthorized } from "./sandbox/answers.ts";
import { Customers, type DataSource, type SandboxCustomer } from "./sandbox/customers.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { attributeKind } from "./sandbox/values.ts";

/** What the account has from the start. */
const seedSchema = z.object({
  /** The keys that it takes. None given: any but `wrong`. */
  keys: z.array(z.string()).optional(),
  data_sources: z
    .array(z.object({ uuid: z.string(), name: z.string(), system: z.string().default("Import API") }))
    .default([{ uuid: "ds_00000000-0000-4000-8000-000000000001", name: "Sandbox", system: "Import API" }]),
  /** The types of attributes that were written before. */
  attributes: z.record(z.string(), attributeKind).default({}),
  /** Standard fields in which changes are passed over without a word. */
  fixed_fields: z.array(z.string()).default([]),
  customers: z
    .array(
      z.object({
        uuid: z.string(),
        known: z.array(z.object({ dataSource: z.string(), externalId: z.string() })),
        standard: z.record(z.string(), z.string()).default({}),
        custom: z.record(z.string(), z.unknown()).default({}),
        tags: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});

type Seed = z.output<typeof seedSchema>;

const requestsPerSecond = 40;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const account = seedSchema.parse(seed);
  const window = new RateWindow(requestsPerSecond, 1000, now);
  let customers = fill(account);
  return {
    failures,
    contents: () => ({
      customers: Object.fromEntries(
        customers.all().map(({ uuid, known, standard, custom, tags }) => [uuid, { known, standard, custom, tags }]),
      ),
      attributes: Object.fromEntries(customers.types()),
    }),
    reset: () => {
      customers = fill(account);
      window.clear();
    },
    distort,
    handle: (request) => {
      if (!mayAsk(request, account)) return unauthorized;
      if (limits && !window.enter()) return rateLimit;
      return answer(request, account.data_sources, customers);
    },
  };
};

export default createSandbox;

function fill({ data_sources, attributes, fixed_fields, customers }: Seed): Customers {
  const filled = new Customers(data_sources, new Map(Object.entries(attributes)), fixed_fields);
  for (const customer of structuredClone(customers)) filled.add(customer);
  return filled;
}

function mayAsk({ headers }: SandboxRequest, { keys }: Seed): boolean {
  const [, encoded = ""] = /^Basic (.+)$/.exec(headers["authorization"] ?? "") ?? [];
  const [key = ""] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  return keys ? keys.includes(key) : key !== "" && key !== "wrong";
}

function answer(request: SandboxRequest, sources: readonly DataSource[], customers: Customers): SandboxResponse {
  const [, version, area, ...path] = request.path.split("/");
  if (version !== "v1") return unknown(request);
  switch (`${request.method} ${area}`) {
    case "GET ping":
      return { status: 200, body: { data: "pong!" } };
    case "GET account":
      return { status: 200, body: { id: "acc_sandbox", name: "Sandbox account", currency: "EUR", time_zone: "UTC" } };
    case "GET data_sources":
      return dataSources(path, sources);
    default:
      return area === "customers" ? customerRoute(path, request, customers) : unknown(request);
  }
}

function dataSources([uuid]: readonly string[], sources: readonly DataSource[]): SandboxResponse {
  const shown = sources.map((source) => ({ ...source, created_at: new Date(0).toISOString(), status: "idle" }));
  if (uuid === undefined) return { status: 200, body: { data_sources: shown } };
  const found = shown.find((source) => source.uuid === uuid);
  return found ? { status: 200, body: found } : refusal(404, "Data source not found", "data_source_uuid");
}

function customerRoute(path: readonly string[], request: SandboxRequest, customers: Customers): SandboxResponse {
  const [uuid, attributes, part] = path;
  const { method, query, body } = request;
  if (uuid === undefined) {
    if (method === "POST") return customers.create(body);
    const found = customers.find(query["data_source_uuid"], query["external_id"]);
    return method === "GET" ? page(found, query, customers) : unknown(request);
  }
  if (uuid === "search" && method === "GET") return search(query, customers);
  const customer = customers.get(uuid);
  if (!customer) return refusal(404, `Can't find customer with uuid: "${uuid}"`, "uuid");
  switch ([method, attributes, part].filter((step) => step !== undefined).join(" ")) {
    case "GET":
      return { status: 200, body: customers.shown(customer) };
    case "PATCH":
      return customers.patch(customer, body);
    case "DELETE":
      customers.remove(customer);
      return { status: 204 };
    case "POST attributes custom":
      return customers.addAttributes(customer, body);
    case "DELETE attributes custom":
      return customers.removeAttributes(customer, body);
    case "POST attributes tags":
    case "DELETE attributes tags":
      return customers.changeTags(customer, body, method === "POST");
    default:
      return unknown(request);
  }
}

function search(query: Readonly<Record<string, string>>, customers: Customers): SandboxResponse {
  const { email = "" } = query;
  const found = customers.all().filter(({ standard }) => standard["email"] === email);
  // Not an empty page.
  if (found.length === 0) return refusal(404, `Can't find any customers with email: "${email}"`, "email");
  return page(found, query, customers);
}

/** At most 200 a page; the cursor is where the next begins. */
function page(
  found: readonly SandboxCustomer[],
  { cursor = "", per_page: perPage = "100" }: Readonly<Record<string, string>>,
  customers: Customers,
): SandboxResponse {
  const count = Math.min(Math.max(Number(perPage), 1), 200);
  const from = cursor === "" ? 0 : Number(Buffer.from(cursor, "base64url").toString("utf8"));
  const entries = found.slice(from, from + count).map((customer) => customers.shown(customer));
  const next = from + count;
  const hasMore = next < found.length;
  return {
    status: 200,
    body: { entries, has_more: hasMore, cursor: hasMore ? Buffer.from(String(next)).toString("base64url") : null },
  };
}

function unknown({ method, path }: SandboxRequest): SandboxResponse {
  return refusal(404, `The sandbox does not know ${method} ${path}.`);
}

const pageSchema = z.looseObject({ entries: z.array(z.unknown()) });
const customerSchema = z.looseObject({ id: z.number(), uuid: z.string() });

/** Most answers are about one customer: one that leaves some out leaves out every second. */
function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: {} };
  const many = pageSchema.safeParse(response.body);
  if (many.success) {
    const { entries } = many.data;
    const shown =
      kind === "partial" ? entries.filter((_, at) => at % 2 === 0) : [...entries.slice(1), ...entries.slice(0, 1)];
    return { ...response, body: { ...many.data, entries: shown } };
  }
  const one = customerSchema.safeParse(response.body).data;
  return kind === "partial" && one && one.id % 2 === 1 ? { ...response, body: {} } : response;
}
