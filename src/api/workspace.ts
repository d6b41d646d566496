/** `/v1/workspace`: all documents at once, as `sluice apply` sends them. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Operations } from "../operations/operations.ts";
import { authorOf, needs } from "./access.ts";

const workspaceBody = z.strictObject({
  // What each must be is told with everything else that is wrong with them.
  documents: z.array(z.unknown()).max(10_000),
  prune: z.boolean().default(false),
  dry_run: z.boolean().default(false),
});

export function workspaceRoutes(api: FastifyInstance, operations: Operations): void {
  api.post("/v1/workspace", needs("write"), async (request) => {
    const { documents, prune, dry_run: dryRun } = workspaceBody.parse(request.body);
    const applied = await operations.apply(documents, { prune, dryRun, author: authorOf(request) });
    request.noted = { changes: applied.changes, dry_run: dryRun };
    return applied;
  });
}
