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
import { healthRoutes, metricRoutes, type Readiness } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import type { TakeDelivery } from "../operations/webhooks.ts";
import { hookRoutes, triggerRoutes } from "./hooks.ts";
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
  { readiness, logger, access, note, takeDelivery, documents, mappings, metrics, version }: ApiOptions,
): FastifyInstance {
  const api = Fastify({
    ...(logger ? { loggerInstance: logger } : { logger: false }),
    // Pages and probes ask every second: a line for each would hide those that matter.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 10 * 1024 * 1024,
    requestTimeout: 30_000,
    // What the router itself refuses, such as an address that cannot be decoded.
    frameworkErrors: (error, request, reply) => void tellProblem(error, request, reply),
    routerOptions: { maxParamLength: 200 },
  });
  api.setErrorHandler(tellProblem);
  api.addContentTypeParser(
    "application/merge-patch+json",
    { parseAs: "string" },
    api.getDefaultJsonParser("error", "error"),
  );
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
  });
  return api;
}
