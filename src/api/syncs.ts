/** `/v1/syncs`: their state, plans and runs. */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { planSchema, previewSchema, runSchema, statusSchema } from "../operations/run-schemas.ts";
import { askedKind, listOf, suggestionSchema } from "../operations/schemas.ts";
import { authorOf } from "./access.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const planBody = z
  .strictObject({
    full: z.boolean().default(false).meta({ description: "As if every record were to be sent again." }),
    limit: z.int().min(0).max(100).default(5).meta({ description: "So many changes of each kind are shown." }),
  })
  .prefault({});

const previewBody = z
  .strictObject({
    limit: z.int().min(1).max(100).default(5),
    draft: z.record(z.string(), z.unknown()).optional().meta({
      description:
        "A JSON merge patch for the sync's document, such as other fields; or the whole document of a sync that there is not yet.",
    }),
  })
  .prefault({});

const keyValue = z.union([text.max(1000), z.number().refine(isExact, "a longer number in quotes"), z.boolean()]);
const runBody = z
  .strictObject({
    kind: askedKind.default("changes").meta({ description: "baseline takes every row as sent, and sends none." }),
    keys: z
      .array(z.union([keyValue, z.array(keyValue).min(1).max(50)]))
      .max(100_000)
      .optional()
      .meta({
        description:
          "Rows to send even if nothing about them changed. More than fit a statement make the run a full one.",
      }),
    trigger: text
      .max(100)
      .default("api")
      .meta({ description: "What asked for the run, for people who read the history." }),
  })
  .refine(({ kind, keys = [] }) => (kind === "keys") === keys.length > 0, {
    path: ["keys"],
    message: "keys are named for, and only for, a run of kind keys",
  })
  .prefault({});

const runHeaders = z.looseObject({
  "idempotency-key": text.min(1).max(255).optional().meta({
    description: "The same request under the same key, within a day, is the same run; another request is refused.",
  }),
});

function isExact(value: number): boolean {
  return !Number.isInteger(value) || Number.isSafeInteger(value);
}

export function syncRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/syncs",
    needs("read", { summary: "All syncs, each with its last run", answers: { 200: listOf(statusSchema) } }),
    async () => ({ data: await operations.status() }),
  );

  api.post(
    "/v1/syncs/:name/plan",
    needs("run", {
      summary: "What a run would do now",
      description: "Sends nothing and changes nothing.",
      params: named,
      body: planBody,
      answers: { 200: planSchema },
    }),
    (request) => operations.plan(request.params.name, request.body),
  );

  api.get(
    "/v1/syncs/:name/mapping/suggestion",
    needs("run", {
      summary: "Fields and columns of the same name that are not mapped yet",
      params: named,
      answers: { 200: suggestionSchema },
    }),
    (request) => operations.suggestMapping(request.params.name),
  );

  api.post(
    "/v1/syncs/:name/preview",
    needs("run", {
      summary: "The exact records that the first rows become",
      description: "By the sync's mapping or by a draft of it. Sends nothing and changes nothing.",
      params: named,
      body: previewBody,
      answers: { 200: previewSchema },
    }),
    (request) => operations.preview(request.params.name, request.body),
  );
  startRoutes(api, operations);
}

/** Whether runs begin, and what they do. */
function startRoutes(api: Api, operations: Operations): void {
  api.post(
    "/v1/syncs/:name/runs",
    needs("run", {
      summary: "Ask for a run",
      description: "Asks that come before it begins are one run. The answer does not wait for it.",
      params: named,
      headers: runHeaders,
      body: runBody,
      answers: { 202: runSchema },
    }),
    async (request, reply) => {
      const { "idempotency-key": key } = request.headers;
      const once = key === undefined ? undefined : { key, actor: authorOf(request) };
      const run = await operations.startRun(request.params.name, { ...request.body, once });
      return reply.code(202).header("location", `/v1/runs/${run.run}`).send(run);
    },
  );

  api.post(
    "/v1/syncs/:name/baseline",
    needs("run", {
      summary: "Take every row as sent, and send none",
      description: "For a destination that holds them already: from then on only what changes is sent.",
      params: named,
      answers: { 202: runSchema },
    }),
    async (request, reply) => {
      const asked = { kind: "baseline", trigger: "api" } as const;
      const run = await operations.startRun(request.params.name, asked);
      return reply.code(202).header("location", `/v1/runs/${run.run}`).send(run);
    },
  );

  api.post(
    "/v1/syncs/:name/pause",
    needs("run", {
      summary: "Let no run of the sync begin",
      description: "One that is under way goes on. What webhooks ask for waits until the sync is resumed.",
      params: named,
      answers: { 200: statusSchema },
    }),
    (request) => operations.pause(request.params.name, authorOf(request)),
  );

  api.post(
    "/v1/syncs/:name/resume",
    needs("run", {
      summary: "Let runs of the sync begin again",
      description: "Times of its schedule that have passed are not made up for.",
      params: named,
      answers: { 200: statusSchema },
    }),
    (request) => operations.resume(request.params.name),
  );
}
