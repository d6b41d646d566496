/** `/v1/syncs`: their state, plans and runs. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { needs } from "./access.ts";
import { text } from "./text.ts";

const named = z.object({ name: z.string() });
const planBody = z.strictObject({ full: z.boolean().default(false), limit: z.int().min(0).max(100).default(5) });
const keyValue = z.union([text.max(1000), z.number().refine(isExact, "a longer number in quotes"), z.boolean()]);
const runBody = z
  .strictObject({
    kind: z.enum(["changes", "full", "keys"]).default("changes"),
    /** Rows to send even if nothing about them changed. More than fit a statement make the run a full one. */
    keys: z
      .array(z.union([keyValue, z.array(keyValue).min(1).max(50)]))
      .max(100_000)
      .optional(),
    /** What asked for the run, for people who read the history. */
    trigger: text.max(100).default("api"),
  })
  .refine(({ kind, keys = [] }) => (kind === "keys") === keys.length > 0, {
    path: ["keys"],
    message: "keys are named for, and only for, a run of kind keys",
  });

function isExact(value: number): boolean {
  return !Number.isInteger(value) || Number.isSafeInteger(value);
}

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
