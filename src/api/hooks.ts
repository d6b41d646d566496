/** `/hooks/{id}`: webhooks, each verified by its trigger's scheme; `/v1/triggers`: what there is, and where. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import type { Operations } from "../operations/operations.ts";
import type { TakeDelivery } from "../operations/webhooks.ts";
import { needs } from "./access.ts";

const addressed = z.object({ id: z.string() });

/** Refused before the signature is looked at. */
const mostBytes = 64 * 1024;

export function triggerRoutes(api: FastifyInstance, operations: Operations): void {
  api.get("/v1/triggers", needs("admin"), async () => ({ data: await operations.triggers() }));
}

/** In a room of their own: bodies are taken byte by byte, and nothing of them is read before the signature is right. */
export function hookRoutes(api: FastifyInstance, take: TakeDelivery): void {
  void api.register(async (hooks) => {
    hooks.removeAllContentTypeParsers();
    const json = /^application\/(?:[\w.-]+\+)?json(?:\s*;|$)/i;
    hooks.addContentTypeParser(json, { parseAs: "buffer", bodyLimit: mostBytes }, (_request, body, done) =>
      done(null, body),
    );
    hooks.post("/hooks/:id", { bodyLimit: mostBytes }, async (request, reply) => {
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
    .send({ type: "about:blank", title: code.replaceAll("_", " "), status, code, detail });
}
