/** The HTTP face: routes, problem documents, health. What it does is `Operations`; no rule lives here. */
import Fastify, { type FastifyInstance, LogController } from "fastify";
import { NotFoundError } from "../errors.ts";
import type { DocumentOperations, MappingOperations, Operations } from "../operations/operations.ts";
import type { Access } from "../security/access.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { guard, type Noted } from "./access.ts";
import { dbtRoutes } from "./dbt.ts";
import { destinationRoutes } from "./destinations.ts";
import { documentRoutes } from "./documents.ts";
import { errorRoutes } from "./errors.ts";
import { healthRoutes, metricRoutes, type Readiness } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import type { TakeDelivery } from "../operations/webhooks.ts";
import { hookRoutes, triggerRoutes } from "./hooks.ts";
import { jsonFault } from "./json.ts";
import { mappingRoutes } from "./mapping.ts";
import { modelRoutes } from "./models.ts";
import { notificationRoutes } from "./notifications.ts";
import { describeApi } from "./openapi.ts";
import { tellProblem } from "./problem.ts";
import type { Api } from "./route.ts";
import { runRoutes } from "./runs.ts";
import { secretRoutes } from "./secrets.ts";
import { sourceRoutes } from "./sources.ts";
import { syncRoutes } from "./syncs.ts";
import { workspaceRoutes } from "./workspace.ts";

export interface ApiOptions {
  /** Says whether the process can do its work: store reachable, not stopping. */
  readonly readiness: Readiness;
  readonly logger: FastifyInstance["log"] | null;
  readonly access: Access;
  /** Writes to the audit log. */
  readonly note: (entry: Noted) => Promise<void>;
  readonly takeDelivery: TakeDelivery;
  readonly documents: DocumentOperations;
  readonly mappings: MappingOperations;
  readonly metrics: Metrics;
  readonly version: string;
  /** How long a client may take. Default: 15 seconds for a request's head, 30 for all of it. */
  readonly patience?: Patience | undefined;
}

interface Patience {
  readonly headMs: number;
  readonly requestMs: number;
}

const rooms = [
  syncRoutes,
  dbtRoutes,
  runRoutes,
  sourceRoutes,
  destinationRoutes,
  triggerRoutes,
  modelRoutes,
  notificationRoutes,
  workspaceRoutes,
  keyRoutes,
  secretRoutes,
];

/** The API, not yet listening. */
export function createApi(
  operations: Operations,
  {
    readiness,
    logger,
    access,
    note,
    takeDelivery,
    documents,
    mappings,
    metrics,
    version,
    patience = { headMs: 15_000, requestMs: 30_000 },
  }: ApiOptions,
): FastifyInstance {
  const api = Fastify({
    ...(logger ? { loggerInstance: logger } : { logger: false }),
    // Pages and probes ask every second: a line for each would hide those that matter.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 10 * 1024 * 1024,
    requestTimeout: patience.requestMs,
    // By itself Node.js looks for slow clients every 30 seconds only.
    http: { headersTimeout: patience.headMs, connectionsCheckingInterval: Math.ceil(patience.headMs / 10) },
    // What the router itself refuses, such as an address that cannot be decoded.
    frameworkErrors: (error, request, reply) => void tellProblem(error, request, reply),
    routerOptions: { maxParamLength: 200 },
  });
  api.setErrorHandler(tellProblem);
  takeJson(api);
  // Whatever a text in an answer looks like, no browser takes the answer for a page.
  api.addHook("onSend", async (_request, reply) => void reply.header("x-content-type-options", "nosniff"));
  api.setNotFoundHandler((request) => {
    throw new NotFoundError("route_not_found", `There is no ${request.method} ${request.url.split("?")[0]}.`);
  });
  void api.register(async (described: Api) => {
    await describeApi(described, version);
    guard(described, access, note);
    for (const routes of rooms) routes(described, operations);
    documentRoutes(described, documents);
    mappingRoutes(described, mappings);
    hookRoutes(described, takeDelivery);
    healthRoutes(described, readiness);
    metricRoutes(described, metrics);
    errorRoutes(described);
  });
  return api;
}

/** JSON that says one thing only. */
function takeJson(api: FastifyInstance): void {
  const parse = api.getDefaultJsonParser("error", "error");
  api.addContentTypeParser<string>(
    ["application/json", "application/merge-patch+json"],
    { parseAs: "string" },
    (request, body, done) => {
      const fault = jsonFault(body);
      if (fault === null) return parse(request, body, done);
      return done(Object.assign(new Error(fault), { statusCode: 400 }));
    },
  );
}
