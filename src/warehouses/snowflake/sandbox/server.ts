/** All that the driver talks to. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { failed, success } from "./answers.ts";
import { failureOf, unknownToSandbox } from "./failure.ts";
import type { Faults } from "./faults.ts";
import { fileRoutes } from "./file-routes.ts";
import type { Queries } from "./queries.ts";
import { queryRoutes } from "./query-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import type { Sessions } from "./sessions.ts";
import type { Stages } from "./stages.ts";
import type { SandboxUser } from "./users.ts";

export interface Served {
  readonly sessions: Sessions;
  readonly queries: Queries;
  readonly faults: Faults;
  readonly stages: Stages;
  readonly users: readonly SandboxUser[] | undefined;
  readonly tokenSeconds: number;
  /** So long a statement may keep its client waiting before it is told to ask again. */
  readonly answerSeconds: number;
  readonly storageToken: string;
  readonly chunkKey: string;
  /** Where the server listens. */
  readonly url: () => string;
}

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
