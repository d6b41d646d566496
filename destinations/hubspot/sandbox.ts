/**
 * A HubSpot account in memory: objects with their properties and unique values, static lists, tokens and scopes, rate
 * windows, and HubSpot's own words when it refuses. Shapes follow HubSpot's published description of API 2026-09.
 */
import { z } from "zod";
import type { CreateSandbox, Sandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { dailyLimit, failures, refusal, tenSecondLimit } from "./sandbox/answers.ts";
import { handleBatch, type Surroundings, toResult } from "./sandbox/batches.ts";
import { Lists } from "./sandbox/lists.ts";
import { ObjectStore } from "./sandbox/objects.ts";
import { type Property, propertySchema, standardProperties } from "./sandbox/properties.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { appsSchema, TokenEndpoint } from "../../src/token-endpoint.ts";

/** What the account has from the start. */
const seedSchema = z.object({
  /** Custom properties, by object. */
  properties: z.record(z.string(), z.array(propertySchema)).default({}),
  /** The tokens it takes, each with its scopes (undefined: all). None given: any token but `expired`. */
  tokens: z.array(z.object({ token: z.string(), scopes: z.array(z.string()).optional() })).optional(),
  /** The apps that were installed by OAuth. */
  apps: appsSchema,
  customObjects: z
    .array(z.object({ name: z.string(), label: z.string(), properties: z.array(propertySchema).default([]) }))
    .default([]),
  tier: z.enum(["free", "starter", "professional", "enterprise"]).default("professional"),
  /** Requests that the account's other apps have made today. */
  used_today: z.int().default(0),
});

/** Requests in ten seconds and in a day, by tier. */
const limitsByTier = {
  free: [100, 250_000],
  starter: [100, 250_000],
  professional: [190, 625_000],
  enterprise: [190, 1_000_000],
} as const;

const typeIds: Readonly<Record<string, string>> = { contacts: "0-1", companies: "0-2", deals: "0-3", tickets: "0-5" };

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const account = seedSchema.parse(seed);
  let state = new Account(account, now);
  const [perTenSeconds, perDay] = limitsByTier[account.tier];
  const window = new RateWindow(perTenSeconds, 10_000, now);
  const day = new RateWindow(perDay - account.used_today, 86_400_000, now);
  const limitHeaders = (): Record<string, string> => ({
    "x-hubspot-ratelimit-max": String(perTenSeconds),
    "x-hubspot-ratelimit-remaining": String(window.remaining),
    "x-hubspot-ratelimit-interval-milliseconds": "10000",
    "x-hubspot-ratelimit-daily": String(perDay),
    "x-hubspot-ratelimit-daily-remaining": String(day.remaining),
  });
  return {
    failures,
    contents: () => state.contents(),
    reset: () => {
      state = new Account(account, now);
      window.clear();
      day.clear();
    },
    distort,
    handle: (request) => {
      if (request.path === "/oauth/v3/token") return state.tokens.answer(request.form ?? {});
      const denied = state.opens(request) ? undefined : denial(request, account.tokens);
      if (denied) return denied;
      if (limits && !window.enter()) return { ...tenSecondLimit, headers: limitHeaders() };
      if (limits && !day.enter()) return { ...dailyLimit, headers: limitHeaders() };
      return { headers: limitHeaders(), ...state.handle(request) };
    },
  };
};

export default createSandbox;

class Account {
  readonly tokens: TokenEndpoint;
  readonly #objects: ReadonlyMap<string, ObjectStore>;
  readonly #custom: z.output<typeof seedSchema>["customObjects"];
  readonly #lists: Lists;
  readonly #now: () => number;
  #lastId = 1000;

  constructor({ properties, customObjects, apps }: z.output<typeof seedSchema>, now: () => number) {
    this.#now = now;
    this.tokens = new TokenEndpoint(apps, { prefix: "hubspot", now });
    this.#custom = customObjects;
    const standard = Object.entries(standardProperties).map(
      ([name, own]) => new ObjectStore(name, typeIds[name] ?? "", [...own, ...(properties[name] ?? [])]),
    );
    const everywhere = (standardProperties["tickets"] ?? []).slice(0, 3);
    const custom = customObjects.map(
      (one, at) => new ObjectStore(one.name, `2-${at + 1}`, [...everywhere, ...one.properties]),
    );
    this.#objects = new Map([...standard, ...custom].map((object) => [object.name, object]));
    this.#lists = new Lists(this.#objects, () => this.#at());
  }

  /** Whether a request has an app's token, which is good for everything here. */
  opens({ headers }: SandboxRequest): boolean {
    return this.tokens.opens(bearerOf(headers) ?? "");
  }

  contents(): ReturnType<Sandbox["contents"]> {
    const records = [...this.#objects.values()].map(
      (object) =>
        [
          object.name,
          Object.fromEntries([...object.records.values()].map(({ id, properties }) => [id, properties])),
        ] as const,
    );
    return { ...Object.fromEntries(records), lists: this.#lists.contents() };
  }

  handle(request: SandboxRequest): SandboxResponse {
    const [, api = "", ...rest] = request.path.split("/");
    const [area = "", version = "", ...path] = api === "crm" ? rest : [api, ...rest];
    if (!/^2026-(03|09)$/.test(version)) return notFound(request);
    return this.#route(area, version, path, request) ?? notFound(request);
  }

  #route(area: string, version: string, path: readonly string[], request: SandboxRequest): SandboxResponse | null {
    switch (area) {
      case "objects":
        return this.#objectRoute(version, path, request);
      case "properties":
        return this.#propertyRoute(path, request);
      case "lists":
        return this.#lists.handle(request, path);
      case "crm-object-schemas":
        return path[0] === "schemas" && request.method === "GET" ? this.#schemas() : null;
      case "account-info":
        return path[0] === "details"
          ? {
              status: 200,
              body: { portalId: 9_000_001, accountType: "SANDBOX", timeZone: "UTC", companyCurrency: "USD" },
            }
          : null;
      default:
        return null;
    }
  }

  #objectRoute(
    version: string,
    path: readonly string[],
    { method, query, body }: SandboxRequest,
  ): SandboxResponse | null {
    const [name = "", second, third = ""] = path;
    const object = this.#find(name);
    if (!object) return refusal(400, "VALIDATION_ERROR", `Unable to infer object type from: ${name}`);
    if (second === "batch" && method === "POST") return handleBatch(object, third, body, this.#surroundings(version));
    if (method !== "GET") return null;
    const properties = (query["properties"] ?? "").split(",").filter((one) => one !== "");
    if (second === undefined) return page(object, properties, query);
    const record = object.find(second, query["idProperty"]);
    return record
      ? { status: 200, body: toResult(record, properties) }
      : refusal(404, "OBJECT_NOT_FOUND", "resource not found");
  }

  #propertyRoute(
    [name = "", second, third]: readonly string[],
    { method, body }: SandboxRequest,
  ): SandboxResponse | null {
    const object = this.#find(name);
    if (!object) return refusal(400, "VALIDATION_ERROR", `Unable to infer object type from: ${name}`);
    if (method === "GET" && second === undefined)
      return { status: 200, body: { results: [...object.properties.values()] } };
    if (method !== "POST") return null;
    const wanted =
      second === "batch" && third === "create"
        ? z.object({ inputs: z.array(propertySchema) }).safeParse(body)
        : propertySchema.transform((one) => ({ inputs: [one] })).safeParse(body);
    if (!wanted.success) return refusal(400, "VALIDATION_ERROR", z.prettifyError(wanted.error));
    return this.#addProperties(object, wanted.data.inputs, second === "batch");
  }

  #addProperties(object: ObjectStore, added: readonly Property[], batch: boolean): SandboxResponse {
    const taken = added.find(({ name }) => object.properties.has(name));
    if (taken) return refusal(409, "OBJECT_ALREADY_EXISTS", `A property named '${taken.name}' already exists.`);
    for (const property of added) object.properties.set(property.name, property);
    const at = this.#at();
    return {
      status: 201,
      body: batch ? { status: "COMPLETE", results: added, startedAt: at, completedAt: at } : added[0],
    };
  }

  #schemas(): SandboxResponse {
    const results = this.#custom.map(({ name, label }, at) => ({
      id: String(at + 1),
      objectTypeId: `2-${at + 1}`,
      name,
      fullyQualifiedName: `p9000001_${name}`,
      labels: { singular: label, plural: label },
      archived: false,
      requiredProperties: [],
      searchableProperties: [],
      secondaryDisplayProperties: [],
      associations: [],
      allowsSensitiveProperties: false,
      properties: [...(this.#objects.get(name)?.properties.values() ?? [])],
    }));
    return { status: 200, body: { results } };
  }

  /** By name or by type id. */
  #find(name: string): ObjectStore | undefined {
    return this.#objects.get(name) ?? [...this.#objects.values()].find(({ objectTypeId }) => objectTypeId === name);
  }

  #surroundings(version: string): Surroundings {
    return {
      version,
      newId: () => String((this.#lastId += 1)),
      at: () => this.#at(),
      onArchived: (object, id) => this.#lists.forget(object, id),
    };
  }

  #at(): string {
    return new Date(this.#now()).toISOString();
  }
}

function page(
  object: ObjectStore,
  properties: readonly string[],
  query: Readonly<Record<string, string>>,
): SandboxResponse {
  const limit = Math.min(Number(query["limit"] ?? 10), 100);
  const from = Number(query["after"] ?? 0);
  const all = [...object.records.values()];
  const results = all.slice(from, from + limit).map((record) => toResult(record, properties));
  const after = from + limit;
  return {
    status: 200,
    body: { results, ...(after < all.length ? { paging: { next: { after: String(after) } } } : {}) },
  };
}

function notFound({ method, path }: SandboxRequest): SandboxResponse {
  return refusal(404, "OBJECT_NOT_FOUND", `The sandbox does not know ${method} ${path}.`);
}

/** Why a request may not be made with its token, if it may not. */
function bearerOf(headers: SandboxRequest["headers"]): string | undefined {
  return /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
}

function denial(
  { headers, method, path }: SandboxRequest,
  tokens: z.output<typeof seedSchema>["tokens"],
): SandboxResponse | undefined {
  const token = bearerOf(headers);
  const known = tokens?.find((one) => one.token === token);
  if (token === undefined || token === "expired" || (tokens && !known)) return failures["unauthorized"];
  const scopes = known?.scopes;
  if (!scopes) return undefined;
  const [object = ""] = /(?<=objects\/2026-\d\d\/)[^/]+/.exec(path) ?? [];
  const right = method === "GET" || path.endsWith("/read") ? "read" : "write";
  return object === "" || scopes.includes(`crm.objects.${object}.${right}`) ? undefined : failures["missing_scopes"];
}

const answerSchema = z.looseObject({ results: z.array(z.unknown()) });

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  const at = new Date(0).toISOString();
  if (kind === "silent")
    return { status: 200, body: { status: "COMPLETE", results: [], startedAt: at, completedAt: at } };
  const answer = answerSchema.safeParse(response.body);
  if (!answer.success) return response;
  const { results } = answer.data;
  const shown =
    kind === "partial" ? results.filter((_, index) => index % 2 === 0) : [...results.slice(1), ...results.slice(0, 1)];
  return { ...response, body: { ...answer.data, results: shown } };
}
