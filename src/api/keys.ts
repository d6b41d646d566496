/** `/v1/keys` and `/v1/audit`: who may use the API, and who did what with it. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { scopes } from "../security/key.ts";
import { authorOf, needs } from "./access.ts";
import { text } from "./text.ts";

const keyBody = z.strictObject({
  name: text.min(1).max(100),
  scope: z.enum(scopes),
  /** Days until it expires; null for never. */
  expires_in_days: z.int().min(1).max(3650).nullable().default(null),
});
const identified = z.object({ id: text });
const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: text.max(200).optional(),
});

export function keyRoutes(api: FastifyInstance, operations: Operations): void {
  api.get("/v1/keys", needs("admin"), async () => ({ data: await operations.keys() }));

  api.post("/v1/keys", needs("admin"), async (request, reply) => {
    const { name, scope, expires_in_days: days } = keyBody.parse(request.body);
    const made = await operations.createKey({ name, scope, days, createdBy: authorOf(request) });
    request.noted = { id: made.id, name, scope };
    return reply.code(201).send(made);
  });

  api.delete("/v1/keys/:id", needs("admin"), (request) => operations.revokeKey(identified.parse(request.params).id));

  api.get("/v1/audit", needs("admin"), (request) => operations.audit(page.parse(request.query)));
}
