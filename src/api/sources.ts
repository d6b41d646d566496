/** `/v1/sources`: does the connection work, and what must be granted? */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { checkSchema, grantsSchema, listOf, typeSchema } from "../operations/schemas.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const named = z.object({ name: text });

export function sourceRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/source-types",
    needs("read", {
      summary: "The types of sources, with what each needs to connect",
      answers: { 200: listOf(typeSchema) },
    }),
    async () => ({ data: await operations.sourceTypes() }),
  );

  api.post(
    "/v1/sources/:name/check",
    needs("run", {
      summary: "Try a source: its connection, its models, the planner's place",
      params: named,
      answers: { 200: checkSchema },
    }),
    (request) => operations.check(request.params.name),
  );

  api.get(
    "/v1/sources/:name/grants",
    needs("read", {
      summary: "The SQL that gives the source's role what it needs, and no more",
      params: named,
      answers: { 200: grantsSchema },
    }),
    (request) => operations.grants(request.params.name),
  );
}
