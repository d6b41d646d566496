/** `/hooks/{id}`: webhooks, each verified by its trigger's scheme; `/v1/triggers`: what there is, and where. */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import type { Operations } from "../operations/operations.ts";
import type { TakeDelivery } from "../operations/webhooks.ts";
import { listOf, triggerViewSchema } from "../operations/schemas.ts";
import { typeOfProblem } from "./errors.ts";
import { type Api, needs, open } from "./route.ts";

const addressed = z.object({ id: z.string() });

/** Refused before the signature is looked at. */
const mostBytes = 64 * 1024;

const takenSchema = z
  .object({
    status: z.enum(["accepted", "duplicate", "empty"]),
    trigger: z.string(),
    sync: z.string(),
    run: z.string().nullable(),
  })
  .meta({ id: "TakenDelivery" });

export function triggerRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/triggers",
    needs("admin", { summary: "The addresses of the webhooks", answers: { 200: listOf(triggerViewSchema) } }),
    async () => ({ data: await operations.triggers() }),
  );
}

/** In a room of their own: bodies are taken byte by byte, and nothing of them is read before the signature is right. */
export function hookRoutes(api: Api, take: TakeDelivery): void {
  void api.register(async (hooks: Api) => {
    hooks.removeAllContentTypeParsers();
    const json = /^application\/(?:[\w.-]+\+)?json(?:\s*;|$)/i;
    hooks.addContentTypeParser(json, { parseAs: "buffer", bodyLimit: mostBytes }, (_request, body, done) =>
      done(null, body),
    );
    const delivery = {
      summary: "A webhook, verified by its trigger's scheme",
      description:
        "202: the run is stored. 200: it had come before, or names no row. The body is the sender's own JSON.",
      answers: { 202: takenSchema, 200: takenSchema },
    };
    hooks.post("/hooks/:id", { bodyLimit: mostBytes, ...open(delivery) }, async (request, reply) => {
      const body: unknown = request.body;
      // What is packed could be as large as it likes once it is unpacked.
      if (request.headers["content-encoding"] !== undefined || !Buffer.isBuffer(body))
        return await tell(reply, 415, "media_type_unsupported", "A delivery is JSON, and not packed.");
      try {
        const taken = await take(addressed.parse(request.params).id, { headers: request.headers, body });
        if (taken.status === "refused")
          return await tell(reply, 401, "delivery_refused", "The address or the signature is not right.");
        return await reply.code(taken.status === "accepted" ? 202 : 200).send(taken);
      } catch (error) {
        if (error instanceof UsageError && error.code !== "missing_variable") throw error;
        // Not taken: the sender has to come again.
        request.log.error(error);
        reply.header("retry-after", "5");
        return await tell(reply, 503, "delivery_not_taken", "The delivery could not be stored. Send it again.");
      }
    });
  });
}

function tell(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  return reply
    .code(status)
    .type("application/problem+json")
    .send({ type: typeOfProblem(code), title: code.replaceAll("_", " "), status, code, detail });
}
