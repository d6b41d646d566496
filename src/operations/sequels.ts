/** Runs that follow from how others ended. */
import { resolveSync } from "../documents/resolve.ts";
import { SluiceError } from "../errors.ts";
import { storedDocuments } from "./documents.ts";
import type { Service } from "./service.ts";

/**
 * Asks for a run of every sync that is to follow another, or to try again. Safe in any number of processes at a time. What
 * goes wrong with one is told to `onError`, and is not the others'.
 */
export async function startSequels(
  service: Service,
  ring: (runId: string) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  for (const sequel of await service.store.sequels.due()) {
    const { sync, afterRun, reason } = sequel;
    try {
      const spec = resolveSync(await storedDocuments(service), sync, await service.registry.mappingKinds());
      const request = {
        sync,
        kind: "changes",
        trigger: `${reason === "after" ? "after" : "again after"} ${afterRun}`,
        spec,
      } as const;
      const run = await service.store.sequels.take(sequel, request);
      if (run) await ring(run.id);
    } catch (error) {
      // What the documents say makes it impossible: the sync was deleted, or needs what is not there.
      if (error instanceof SluiceError) await service.store.sequels.drop(sequel);
      onError(error);
    }
  }
}
