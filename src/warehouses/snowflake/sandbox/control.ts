/** The addresses under `/_sandbox`: what was asked, failures on request, and a fresh start. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type Faults, faultSchema } from "./faults.ts";
import type { Queries } from "./queries.ts";

export interface Controlled {
  readonly queries: Queries;
  readonly faults: Faults;
  readonly reset: () => Promise<void>;
}

export function controlRoutes(server: FastifyInstance, { queries, faults, reset }: Controlled): void {
  server.get("/_sandbox/requests", () => queries.records());
  server.post("/_sandbox/faults", (request, reply) => {
    const parsed = z
      .union([z.array(faultSchema), faultSchema.transform((one) => [one])])
      .safeParse(JSON.parse(String(request.body)));
    if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
    faults.add(...parsed.data);
    return reply.code(204).send();
  });
  server.delete("/_sandbox/faults", (_request, reply) => {
    faults.clear();
    return reply.code(204).send();
  });
  server.post("/_sandbox/reset", async (_request, reply) => {
    await reset();
    return await reply.code(204).send();
  });
}
