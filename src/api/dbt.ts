/** `/v1/dbt`: what dbt tells after it has built. */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { dbtRanSchema } from "../operations/run-schemas.ts";
import { listOf } from "../operations/schemas.ts";
import { type Api, needs } from "./route.ts";
import { text } from "./text.ts";

const dbtBody = z.strictObject({
  results: z
    .array(z.object({ unique_id: text, status: text, relation_name: text.nullish() }))
    .max(20_000)
    .meta({ description: "`results` of dbt's run_results.json." }),
});

export function dbtRoutes(api: Api, operations: Operations): void {
  api.post(
    "/v1/dbt/results",
    needs("run", {
      summary: "Ask for runs of the syncs whose models dbt has rebuilt",
      body: dbtBody,
      answers: { 200: listOf(dbtRanSchema) },
    }),
    async (request) => ({ data: await operations.dbtRan(request.body.results) }),
  );
}
