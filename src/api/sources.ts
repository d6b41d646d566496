/** `/v1/sources`: does the connection work, and what must be granted? */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";

const named = z.object({ name: z.string() });

export function sourceRoutes(api: FastifyInstance, operations: Operations): void {
  api.post("/v1/sources/:name/check", needs("run"), (request) => operations.check(named.parse(request.params).name));

  api.get("/v1/sources/:name/grants", needs("read"), (request) => operations.grants(named.parse(request.params).name));
}
