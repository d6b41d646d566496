/** For load balancers and orchestrators. */
import { z } from "zod";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Api, needs, open } from "./route.ts";

/** Resolves when the process can do its work; rejects with why not. */
export type Readiness = () => Promise<void>;

export function healthRoutes(api: Api, readiness: Readiness): void {
  // Alive: the event loop turns. Nothing else is asked, so a slow database never gets the process killed.
  const alive = { summary: "Does the process live?", answers: { 200: z.object({ status: z.literal("ok") }) } };
  api.get("/healthz", open(alive), () => ({ status: "ok" }));

  const ready = {
    summary: "Can the process do its work?",
    answers: { 200: z.object({ status: z.literal("ready") }), 503: z.object({ status: z.literal("not ready") }) },
  };
  api.get("/readyz", open(ready), async (request, reply) => {
    try {
      await readiness();
      return { status: "ready" };
    } catch (error) {
      request.log.warn(error);
      return reply.code(503).send({ status: "not ready" });
    }
  });
}

/** For Prometheus, which sends its key like everybody. */
export function metricRoutes(api: Api, metrics: Metrics): void {
  api.addHook("onResponse", async (request, { statusCode: status, elapsedTime: ms }) => {
    const { method, routeOptions } = request;
    metrics.asked({ method, route: routeOptions.url ?? "none", status, ms });
  });
  const told = { summary: "How the syncs and the process do, for Prometheus", answers: { 200: "text/plain" } } as const;
  api.get("/metrics", needs("read", told), async (_request, reply) => {
    const text = await metrics.text();
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(text);
  });
}
