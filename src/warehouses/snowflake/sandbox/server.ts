/** All that the driver talks to. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { failed, success } from "./answers.ts";
import { failureOf, unknownToSandbox } from "./failure.ts";
import { fileRoutes } from "./file-routes.ts";
import { queryRoutes } from "./query-routes.ts";
import type { Served } from "./served.ts";
import { sessionRoutes } from "./session-routes.ts";

/** Serves the driver. What fails is told in Snowflake's envelope. */
export function driverRoutes(server: FastifyInstance, served: Served): void {
  sessionRoutes(server, served);
  queryRoutes(server, served);
  fileRoutes(server, served);
  server.post("/telemetry/send", () => success(null));
  server.setErrorHandler((error, _request, reply) => {
    const failure = error instanceof z.ZodError ? unknownToSandbox(z.prettifyError(error)) : failureOf(error);
    // The driver takes this one for an invalid token only with this status.
    return reply.code(failure.code === "390104" ? 401 : 200).send(failed(failure));
  });
}
