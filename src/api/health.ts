/** For load balancers and orchestrators. */
import type { FastifyInstance } from "fastify";

/** Resolves when the process can do its work; rejects with why not. */
export type Readiness = () => Promise<void>;

export function healthRoutes(api: FastifyInstance, readiness: Readiness): void {
  // Alive: the event loop turns. Nothing else is asked, so a slow database never gets the process killed.
  api.get("/healthz", () => ({ status: "ok" }));

  api.get("/readyz", async (request, reply) => {
    try {
      await readiness();
      return { status: "ready" };
    } catch (error) {
      request.log.warn(error);
      return reply.code(503).send({ status: "not ready" });
    }
  });
}
