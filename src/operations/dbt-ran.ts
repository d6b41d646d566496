/** After dbt: runs of the syncs whose models were rebuilt. */
import type { ModelDocument } from "../documents/model.ts";
import { resolveSync } from "../documents/resolve.ts";
import { ConflictError } from "../errors.ts";
import { storedDocuments } from "./documents.ts";
import type { DbtResult } from "./operations.ts";
import type { DbtRanView } from "./run-schemas.ts";
import type { Service } from "./service.ts";
import { requireNotPaused } from "./status.ts";

/** Asks for a run of each sync whose model dbt has rebuilt, and says of every sync why, or why not. */
export async function dbtRan(
  results: readonly DbtResult[],
  service: Service,
  ring: ((runId: string) => Promise<void>) | null,
): Promise<readonly DbtRanView[]> {
  const documents = await storedDocuments(service);
  const answers: DbtRanView[] = [];
  for (const { name: sync, from } of documents.syncs.values()) {
    const model = documents.models.get(from.model);
    const result = model && resultOf(model, results);
    const told = { sync, model: from.model };
    if (result?.status !== "success") {
      const reason = result ? `dbt's ${result.unique_id} ended with ${result.status}` : "dbt did not build its model";
      answers.push({ ...told, run: null, reason });
      continue;
    }
    const spec = resolveSync(documents, sync, await service.registry.mappingKinds());
    const { unique_id: built } = result;
    try {
      await requireNotPaused(sync, service);
      const run = await service.store.runs.create({
        sync,
        kind: "changes",
        trigger: `dbt ${built}`,
        spec,
        behindHeld: true,
      });
      await ring?.(run.id);
      answers.push({ ...told, run: run.id, reason: `dbt rebuilt ${built}` });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      answers.push({ ...told, run: null, reason: error.message });
    }
  }
  return answers;
}

/** What dbt says of a model: by its id where it is named from dbt's manifest, else by its table. */
function resultOf({ dbt, table }: ModelDocument, results: readonly DbtResult[]): DbtResult | undefined {
  const id = dbt !== undefined && "unique_id" in dbt ? dbt.unique_id : undefined;
  if (id !== undefined) return results.find(({ unique_id }) => unique_id === id);
  if (table === undefined) return undefined;
  const wanted = parts(table);
  return results.find(({ relation_name: relation }) => {
    // The model may leave out the database, and the schema, that dbt always names.
    const built = typeof relation === "string" ? parts(relation).slice(-wanted.length) : [];
    return built.length === wanted.length && built.every((part, at) => part === wanted[at]);
  });
}

/** The names of a relation, however it quotes them: `"DB".marts.Accounts` is db, marts, accounts. */
function parts(relation: string): readonly string[] {
  return [...relation.matchAll(/"([^"]*)"|`([^`]*)`|([^."`]+)/g)].map(([, quoted, ticked, plain]) =>
    (quoted ?? ticked ?? plain ?? "").trim().toLowerCase(),
  );
}
