/** `/v1/runs`: history, progress, refused rows. */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { exchangeSchema, rejectionsSchema, revertSchema, runSchema } from "../operations/run-schemas.ts";
import { pageOf } from "../operations/schemas.ts";
import { authorOf } from "./access.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const identified = z.object({ id: text });
const page = { limit: z.coerce.number().int().min(1).max(500).default(50), cursor: text.max(200).optional() };
const runsQuery = z.strictObject({ ...page, sync: text.optional() });
const pageQuery = z.strictObject(page);
const revertBody = z
  .strictObject({
    limit: z.int().min(0).max(100).default(5).meta({ description: "So many changes of each kind are shown." }),
  })
  .prefault({});

export function runRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/runs",
    needs("read", { summary: "Runs, newest first", querystring: runsQuery, answers: { 200: pageOf(runSchema) } }),
    (request) => operations.runs(request.query),
  );

  api.get(
    "/v1/runs/:id",
    needs("read", { summary: "One run, as it is now", params: identified, answers: { 200: runSchema } }),
    (request) => operations.run(request.params.id),
  );

  api.get(
    "/v1/runs/:id/rejections",
    needs("read", {
      summary: "The rows that were not taken, and why",
      params: identified,
      querystring: pageQuery,
      answers: { 200: rejectionsSchema },
    }),
    (request) => operations.rejections(request.params.id, request.query),
  );

  api.get(
    "/v1/runs/:id/requests",
    needs("read", {
      summary: "A few of a run's requests, without values",
      description: "The first five, one of each hundred, and those that failed; for two weeks.",
      params: identified,
      querystring: pageQuery,
      answers: { 200: pageOf(exchangeSchema) },
    }),
    (request) => operations.requests(request.params.id, request.query),
  );

  api.get(
    "/v1/runs/:id/events",
    needs("read", {
      summary: "A run's progress, as server-sent events",
      description: "`progress` whenever it changed, `end` when it has ended or is held; each with the run as data.",
      params: identified,
      answers: { 200: "text/event-stream" },
    }),
    async (request, reply) => {
      const { id } = request.params;
      // What is not there is told as a problem, not as a stream that says nothing.
      await operations.run(id);
      const gone = new AbortController();
      reply.raw.on("close", () => gone.abort());
      reply.header("cache-control", "no-store").type("text/event-stream");
      return reply.send(Readable.from(runEvents(id, operations, gone.signal)));
    },
  );

  api.post(
    "/v1/runs/:id/cancel",
    needs("run", {
      summary: "Stop a run",
      description: "One under way stops at the next batch; one that waits or is held is dropped.",
      params: identified,
      answers: { 200: runSchema },
    }),
    (request) => operations.cancel(request.params.id),
  );

  api.post(
    "/v1/runs/:id/release",
    needs("run", {
      summary: "Let a held run go on with the plan that it has",
      params: identified,
      answers: { 200: runSchema },
    }),
    (request) => operations.release(request.params.id),
  );
  revertRoutes(api, operations);
}

function revertRoutes(api: Api, operations: Operations): void {
  api.post(
    "/v1/runs/:id/revert/plan",
    needs("run", {
      summary: "What undoing a run would do now",
      description: "Sends nothing and changes nothing. The run's sync keeps values (keep: values).",
      params: identified,
      body: revertBody,
      answers: { 200: revertSchema },
    }),
    (request) => operations.previewRevert(request.params.id, request.body),
  );

  api.post(
    "/v1/runs/:id/revert",
    needs("run", {
      summary: "Undo a run",
      description:
        "Its records go back to what the destination held before, and those that it removed are made again. The sync is paused, for its next run would send again what the model says.",
      params: identified,
      answers: { 202: runSchema },
    }),
    async (request, reply) => {
      const run = await operations.revert(request.params.id, authorOf(request));
      return reply.code(202).header("location", `/v1/runs/${run.run}`).send(run);
    },
  );
}

const lookMs = 300;
/** Proxies close what is silent for long. */
const silenceMs = 15_000;

async function* runEvents(id: string, operations: Operations, gone: AbortSignal): AsyncGenerator<string> {
  let told = "";
  for (let silentMs = 0; !gone.aborted; silentMs += lookMs) {
    const run = await operations.run(id);
    // Time passes in every run.
    const state = JSON.stringify({ ...run, seconds: 0 });
    const hasEnded = run.ended_at !== null || run.status === "held";
    if (state !== told || hasEnded) {
      yield `event: ${hasEnded ? "end" : "progress"}\ndata: ${JSON.stringify(run)}\n\n`;
      [told, silentMs] = [state, 0];
    } else if (silentMs >= silenceMs) {
      yield ": still there\n\n";
      silentMs = 0;
    }
    if (hasEnded) return;
    await sleep(lookMs, undefined, { signal: gone }).catch(() => undefined);
  }
}
