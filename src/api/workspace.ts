/** `/v1/workspace`: all documents at once, as `sluice apply` sends them. */
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { applySchema, documentViewSchema, listOf } from "../operations/schemas.ts";
import { authorOf } from "./access.ts";
import { type Api, needs } from "./route.ts";

const workspaceBody = z.strictObject({
  documents: z
    .array(z.unknown())
    .max(10_000)
    // What each must be is told with everything else that is wrong with them.
    .meta({ description: "Documents with kind and name, as files have them." }),
  prune: z.boolean().default(false).meta({ description: "Delete documents that came from files and are not here." }),
  dry_run: z.boolean().default(false),
});

export function workspaceRoutes(api: Api, operations: Operations): void {
  api.get(
    "/v1/workspace",
    needs("read", {
      summary: "All documents, as they are now",
      answers: { 200: listOf(documentViewSchema) },
    }),
    async () => ({ data: await operations.workspace() }),
  );

  api.post(
    "/v1/workspace",
    needs("write", {
      summary: "Make the service hold these documents, all or nothing",
      body: workspaceBody,
      answers: { 200: applySchema },
    }),
    async (request) => {
      const { documents, prune, dry_run: dryRun } = request.body;
      const by = { author: authorOf(request), scope: request.identity?.scope };
      const applied = await operations.apply(documents, { prune, dryRun, ...by });
      request.noted = { changes: applied.changes, dry_run: dryRun };
      return applied;
    },
  );
}
