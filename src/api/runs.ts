/** `/v1/runs`: history, progress, refused rows. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";
import { text } from "./text.ts";

const identified = z.object({ id: text });
const page = { limit: z.coerce.number().int().min(1).max(500).default(50), cursor: text.max(200).optional() };
const runsQuery = z.strictObject({ ...page, sync: text.optional() });
const rejectionsQuery = z.strictObject(page);

export function runRoutes(api: FastifyInstance, operations: Operations): void {
  api.get("/v1/runs", needs("read"), (request) => operations.runs(runsQuery.parse(request.query)));

  api.get("/v1/runs/:id", needs("read"), (request) => operations.run(identified.parse(request.params).id));

  api.get("/v1/runs/:id/rejections", needs("read"), (request) =>
    operations.rejections(identified.parse(request.params).id, rejectionsQuery.parse(request.query)),
  );

  api.post("/v1/runs/:id/cancel", needs("run"), (request) => operations.cancel(identified.parse(request.params).id));

  api.post("/v1/runs/:id/release", needs("run"), (request) => operations.release(identified.parse(request.params).id));
}
