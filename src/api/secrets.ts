/** `/v1/secrets`: what documents name as `${secret:NAME}`. It goes in, and never comes out. */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { listOf, secretSchema } from "../operations/schemas.ts";
import { authorOf } from "./access.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const secretBody = z.strictObject({ value: text.min(1).max(65_536).meta({ writeOnly: true }) });

export function secretRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/secrets",
    needs("read", {
      summary: "The secrets that documents may name",
      description: "Their names, versions and users; never what they say.",
      answers: { 200: listOf(secretSchema) },
    }),
    async () => ({ data: await operations.secrets() }),
  );

  api.put(
    "/v1/secrets/:name",
    needs("admin", {
      summary: "Store a secret, or replace it",
      description:
        "Encrypted under SLUICE_SECRET_KEY. Documents name it as ${secret:NAME}; the next run reads the new one.",
      params: named,
      body: secretBody,
      answers: { 200: secretSchema, 201: secretSchema },
    }),
    async (request, reply) => {
      const stored = await operations.setSecret(request.params.name, request.body.value, authorOf(request));
      request.noted = { version: stored.version };
      return reply.code(stored.version === 1 ? 201 : 200).send(stored);
    },
  );

  api.delete(
    "/v1/secrets/:name",
    needs("admin", { summary: "Delete a secret that no document names", params: named, answers: { 204: null } }),
    async (request, reply) => {
      await operations.deleteSecret(request.params.name);
      return reply.code(204).send();
    },
  );
}
