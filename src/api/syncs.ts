/** `/v1/syncs`: their state, plans and runs. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";
import { text } from "./text.ts";

const named = z.object({ name: z.string() });
const planBody = z.strictObject({ full: z.boolean().default(false), limit: z.int().min(0).max(100).default(5) });
const runBody = z.strictObject({
  kind: z.enum(["changes", "full"]).default("changes"),
  /** What asked for the run, for people who read the history. */
  trigger: text.max(100).default("api"),
});

export function syncRoutes(api: FastifyInstance, operations: Operations): void {
  api.get("/v1/syncs", needs("read"), async () => ({ data: await operations.status() }));

  api.post("/v1/syncs/:name/plan", needs("run"), async (request) => {
    const { name } = named.parse(request.params);
    return operations.plan(name, planBody.parse(request.body ?? {}));
  });

  api.post("/v1/syncs/:name/runs", needs("run"), async (request, reply) => {
    const { name } = named.parse(request.params);
    const run = await operations.startRun(name, runBody.parse(request.body ?? {}));
    return reply.code(202).header("location", `/v1/runs/${run.run}`).send(run);
  });
}
