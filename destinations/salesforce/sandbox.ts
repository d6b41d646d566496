/**
 * A Salesforce org in memory: objects with their fields and records, tokens, the allowance of requests, sObject
 * Collections and the SOQL that looks for values. Errors are in Salesforce's own form: lists, even of one.
 */
import { z } from "zod";
import { appsSchema, TokenEndpoint } from "../../src/token-endpoint.ts";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { handleCollection } from "./sandbox/collections.ts";
import { bulkSchema, Jobs } from "./sandbox/jobs.ts";
import { objectSchema, ObjectStore, standardObjects } from "./sandbox/objects.ts";
import { select } from "./sandbox/soql.ts";

const seedSchema = z.object({
  objects: z.array(objectSchema).default([]),
  /** The apps that may connect. None given: any whose secret is not `expired`. */
  apps: z.array(z.object({ client_id: z.string(), client_secret: z.string() })).optional(),
  /** The apps that a user has let in. */
  authorized: appsSchema,
  allowance: z.int().default(15_000),
  bulk: bulkSchema.prefault({}),
});
type Seed = z.output<typeof seedSchema>;

const dayMs = 86_400_000;

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const given = seedSchema.parse(seed);
  let state = open(given, now);
  const api = (request: SandboxRequest): SandboxResponse => {
    const token = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? "";
    if (!state.tokens.has(token) && !state.endpoint.opens(token)) return failures["session_ended"] ?? { status: 401 };
    state.asked = state.asked.filter((at) => at > now() - dayMs);
    if (limits && state.asked.length >= given.allowance) return failures["request_limit"] ?? { status: 403 };
    state.asked.push(now());
    const headers = { "sforce-limit-info": `api-usage=${state.asked.length}/${given.allowance}` };
    const answer = route(request, state);
    return { ...answer, headers: { ...headers, ...answer.headers } };
  };
  return {
    failures,
    contents: () =>
      Object.fromEntries([...state.objects.values()].map((one) => [one.name, Object.fromEntries(one.records)])),
    reset: () => {
      state = open(given, now);
    },
    distort,
    handle: (request) => {
      if (request.path !== "/services/oauth2/token") return api(request);
      if (request.form?.["grant_type"] === "refresh_token") return state.endpoint.answer(withBasic(request));
      return tokenAnswer(request, given.apps, state.tokens);
    },
  };
};

export default createSandbox;

interface State {
  readonly objects: ReadonlyMap<string, ObjectStore>;
  readonly tokens: Set<string>;
  readonly endpoint: TokenEndpoint;
  readonly jobs: Jobs;
  asked: number[];
}

function open({ objects: custom, authorized, bulk }: Seed, now: () => number): State {
  const all = [...standardObjects, ...custom].map((one, at) => new ObjectStore(one, at));
  const endpoint = new TokenEndpoint(authorized, { prefix: "salesforce", now });
  const objects = new Map(all.map((one) => [one.name.toLowerCase(), one]));
  return { objects, tokens: new Set(), endpoint, jobs: new Jobs(objects, bulk, now), asked: [] };
}

function route(request: SandboxRequest, { objects, jobs }: State): SandboxResponse {
  const path = /^\/services\/data\/v\d+\.0\/(.*)$/.exec(request.path)?.[1] ?? "";
  const [area, second, third] = path.split("/");
  if (area === "query" && request.method === "GET") return select(request.query["q"] ?? "", objects);
  if (area === "jobs" && second === "ingest") return jobs.handle(request, path.split("/").slice(2));
  if (area === "composite" && second === "sobjects")
    return handleCollection(request, path.split("/").slice(2), objects);
  if (area === "sobjects" && request.method === "GET" && second === undefined)
    return { status: 200, body: { encoding: "UTF-8", sobjects: [...objects.values()].map((one) => one.summary()) } };
  const object = objects.get((second ?? "").toLowerCase());
  if (area === "sobjects" && third === "describe" && object) return { status: 200, body: object.describe() };
  return refusal(404, "NOT_FOUND", "The requested resource does not exist");
}

/** The client's id and secret that a request has in its header. */
function basicOf({ headers }: SandboxRequest): readonly string[] {
  const basic = /^Basic (.+)$/.exec(headers["authorization"] ?? "")?.[1] ?? "";
  return Buffer.from(basic, "base64").toString().split(":");
}

/** A form, with the client of the header where there is one. */
function withBasic(request: SandboxRequest): Readonly<Record<string, string>> {
  const [client_id = "", client_secret] = basicOf(request);
  return { ...request.form, ...(client_secret === undefined ? {} : { client_id, client_secret }) };
}

/** By client credentials in the header; a form's body, as the JWT bearer flow has it, is not read here. */
function tokenAnswer(request: SandboxRequest, apps: Seed["apps"], tokens: Set<string>): SandboxResponse {
  const [id = "", secret = ""] = basicOf(request);
  const known = apps
    ? apps.some(({ client_id, client_secret }) => client_id === id && client_secret === secret)
    : secret !== "" && secret !== "expired";
  if (!known)
    return { status: 400, body: { error: "invalid_client", error_description: "invalid client credentials" } };
  const token = `00D000000000001!${tokens.size + 1}`;
  tokens.add(token);
  return { status: 200, body: { access_token: token, token_type: "Bearer", scope: "api" } };
}

function refusal(status: number, errorCode: string, message: string): SandboxResponse {
  return { status, body: [{ message, errorCode }] };
}

/** Failures in Salesforce's words, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  request_limit: refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
  session_ended: refusal(401, "INVALID_SESSION_ID", "Session expired or invalid"),
  missing_right: refusal(403, "INSUFFICIENT_ACCESS", "insufficient access rights"),
  unavailable: refusal(503, "SERVER_UNAVAILABLE", "Server Unavailable"),
  rows_locked: {
    status: 200,
    body: [
      {
        success: false,
        errors: [{ statusCode: "UNABLE_TO_LOCK_ROW", message: "unable to obtain exclusive access", fields: [] }],
      },
    ],
  },
};

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: [] };
  const results = z.array(z.unknown()).safeParse(response.body).data;
  if (!results) return response;
  const shown =
    kind === "partial" ? results.filter((_, at) => at % 2 === 0) : [...results.slice(1), ...results.slice(0, 1)];
  return { ...response, body: shown };
}
