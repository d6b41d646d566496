/** `/v1/keys` and `/v1/audit`: who may ask, and what they did with it. */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { auditSchema, keySchema, listOf, madeKeySchema, pageOf } from "../operations/schemas.ts";
import { scopes } from "../security/key.ts";
import { authorOf } from "./access.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const keyBody = z.strictObject({
  name: text.min(1).max(100),
  scope: z.enum(scopes),
  expires_in_days: z
    .int()
    .min(1)
    .max(3650)
    .nullable()
    .default(null)
    .meta({ description: "Days until it expires; null for never." }),
});
const identified = z.object({ id: text });
const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: text.max(200).optional(),
});

export function keyRoutes(api: Api, operations: Operations): void {
  api.get("/v1/keys", needs("admin", { summary: "All API keys", answers: { 200: listOf(keySchema) } }), async () => ({
    data: await operations.keys(),
  }));

  api.post(
    "/v1/keys",
    needs("admin", {
      summary: "Make an API key",
      description: "The answer has the key itself, which is nowhere else.",
      body: keyBody,
      answers: { 201: madeKeySchema },
    }),
    async (request, reply) => {
      const { name, scope, expires_in_days: days } = request.body;
      const made = await operations.createKey({ name, scope, days, createdBy: authorOf(request) });
      request.noted = { id: made.id, name, scope };
      return reply.code(201).send(made);
    },
  );

  api.delete(
    "/v1/keys/:id",
    needs("admin", { summary: "End a key's life at once", params: identified, answers: { 200: keySchema } }),
    (request) => operations.revokeKey(request.params.id),
  );

  api.get(
    "/v1/audit",
    needs("admin", {
      summary: "What was changed or refused over the API, newest first",
      querystring: page,
      answers: { 200: pageOf(auditSchema) },
    }),
    (request) => operations.audit(request.query),
  );
}
