/** What can be asked of a source: does it work, and what must its owner grant? */
import { modelQuery } from "../documents/resolve.ts";
import { resolveConnection } from "../documents/secrets.ts";
import type { SourceDocument } from "../documents/source.ts";
import { NotFoundError, SluiceError, UsageError, WarehouseError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { ModelQuery } from "../warehouse.ts";
import { openWarehouse } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { CheckView, GrantsView } from "./schemas.ts";
import { knownTo } from "./secrets.ts";
import type { Service } from "./service.ts";

/** Tries the connection, the planner's place, and every model of the source. Fails with everything that is wrong. */
export async function checkSource(source: SourceDocument, service: Service): Promise<CheckView> {
  const models = await modelsOf(source, service);
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  await warehouse.check();
  const faults: string[] = [];
  for (const [name, model] of models) {
    try {
      await warehouse.columns(model);
    } catch (error) {
      if (!(error instanceof WarehouseError)) throw error;
      faults.push(`model "${name}": ${error.message}${error.hint === undefined ? "" : ` ${error.hint}`}`);
    }
  }
  if (faults.length > 0) {
    throw new SluiceError("models_unreadable", [`The connection works, but not every model:`, ...faults].join("\n  "), {
      hint: `"sluice grants ${source.name}" prints what the role needs.`,
    });
  }
  const place =
    source.planner.in === "warehouse" ? `plan and state in ${source.planner.schema}` : "plan and state local";
  const readable = models.size === 1 ? "its model can be read" : `all of its ${models.size} models can be read`;
  return { name: source.name, kind: "source", ok: true, account: `${source.type}; ${readable}; ${place}` };
}

/** The SQL that the owner of a source runs so that its role has what it needs, and no more. */
export async function grantsOf(name: string, service: Service): Promise<GrantsView> {
  const { sources } = await storedDocuments(service);
  const source = sources.get(name);
  if (!source) throw new NotFoundError("not_found", `There is no source "${name}"${nearest(name, sources.keys())}`);
  const adapter = await service.registry.loadWarehouse(source.type);
  if (!adapter.grants) {
    throw new UsageError("no_grants", `Source "${name}" is ${adapter.title}, for which Sluice prints no grants.`, {
      hint: "Its documentation says what the role needs: to read the models, and to make tables in the planner schema.",
    });
  }
  const connection = resolveConnection(source, adapter.connection, await knownTo(source, service));
  const models = [...(await modelsOf(source, service)).values()];
  const schema = source.planner.in === "warehouse" ? source.planner.schema : null;
  return { source: name, sql: await adapter.grants(connection, { models, schema }) };
}

async function modelsOf(source: SourceDocument, service: Service): Promise<ReadonlyMap<string, ModelQuery>> {
  const { models } = await storedDocuments(service);
  const own = [...models.values()].filter((model) => model.source === source.name);
  return new Map(own.map((model) => [model.name, modelQuery(model)]));
}
