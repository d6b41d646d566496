/** `/v1/notifications`: does the receiver take messages, and what became of those that were sent? */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const noticesQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(50) });

export function notificationRoutes(api: FastifyInstance, operations: Operations): void {
  api.post("/v1/notifications/:name/check", needs("run"), (request) =>
    operations.check(named.parse(request.params).name),
  );

  api.get("/v1/notifications/:name/notices", needs("read"), async (request) => {
    const { limit } = noticesQuery.parse(request.query);
    return { data: await operations.notices(named.parse(request.params).name, limit) };
  });
}
