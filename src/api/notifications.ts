/** `/v1/notifications`: does the receiver take messages, and what became of those that were sent? */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { checkSchema, listOf, noticeSchema } from "../operations/schemas.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const noticesQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(50) });

export function notificationRoutes(api: Api, operations: Operations): void {
  api.post(
    "/v1/notifications/:name/check",
    needs("run", { summary: "Send a test message", params: named, answers: { 200: checkSchema } }),
    (request) => operations.check(request.params.name),
  );

  api.get(
    "/v1/notifications/:name/notices",
    needs("read", {
      summary: "What became of a notification's messages, newest first",
      params: named,
      querystring: noticesQuery,
      answers: { 200: listOf(noticeSchema) },
    }),
    async ({ params, query }) => ({ data: await operations.notices(params.name, query.limit) }),
  );
}
