/** `/v1/models` and `/v1/segments`: what the warehouse has, before anything is sent of it. */
import { z } from "zod";
import { filterSchema } from "../documents/segment.ts";
import type { Operations } from "../operations/operations.ts";
import { columnSchema, listOf, sampleSchema } from "../operations/schemas.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });
const limit = z.int().min(0).max(100).default(10);
const segmentSample = z.strictObject({ limit }).prefault({});
const modelSample = z
  .strictObject({
    limit,
    filter: filterSchema.optional().meta({ description: "A segment's, which need not be saved." }),
  })
  .prefault({});

export function modelRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/models/:name/columns",
    needs("read", {
      summary: "The columns of a model, as the warehouse has them now",
      params: named,
      answers: { 200: listOf(columnSchema) },
    }),
    async (request) => ({ data: await operations.modelColumns(request.params.name) }),
  );

  api.post(
    "/v1/models/:name/sample",
    needs("run", {
      summary: "The first rows of a model, and how many there are",
      params: named,
      body: modelSample,
      answers: { 200: sampleSchema },
    }),
    (request) => operations.sampleModel(request.params.name, request.body),
  );

  api.post(
    "/v1/segments/:name/sample",
    needs("run", {
      summary: "The first rows of a segment, and how many of its model it has",
      params: named,
      body: segmentSample,
      answers: { 200: sampleSchema },
    }),
    (request) => operations.sampleSegment(request.params.name, request.body.limit),
  );
}
