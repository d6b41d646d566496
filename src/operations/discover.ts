/** What there is to map from and to: types of connection, columns of models, first rows. */
import { z } from "zod";
import { modelQuery } from "../documents/resolve.ts";
import { NotFoundError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Filter } from "../warehouse.ts";
import { openWarehouse } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { SampleOptions } from "./operations.ts";
import type { ColumnView, SampleView, TypeView } from "./schemas.ts";
import type { Service } from "./service.ts";

/** The types of destinations, each with what it needs to connect. */
export async function destinationTypes({ registry }: Service): Promise<readonly TypeView[]> {
  return await Promise.all(
    registry.destinationTypes().map(async (type) => typeView(await registry.loadDestination(type))),
  );
}

/** The types of sources, each with what it needs to connect. */
export async function sourceTypes({ registry }: Service): Promise<readonly TypeView[]> {
  return await Promise.all(registry.warehouseTypes().map(async (type) => typeView(await registry.loadWarehouse(type))));
}

function typeView({ type, title, connection }: { type: string; title: string; connection: z.ZodObject }): TypeView {
  const schema = z.toJSONSchema(connection, { io: "input", unrepresentable: "any" });
  return { type, title, connection: { ...schema } };
}

/** The columns of a model, as the warehouse has them now. */
export async function modelColumns(name: string, service: Service): Promise<readonly ColumnView[]> {
  const { model, source } = await findModel(name, undefined, service);
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  return await warehouse.columns(model);
}

/** The first rows of a model, and how many there are; narrowed by a filter that need not be saved. */
export async function sampleModel(name: string, options: SampleOptions, service: Service): Promise<SampleView> {
  const { limit, filter } = options;
  const { model, source } = await findModel(name, filter, service);
  const { filter: _, ...whole } = model;
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  const columns = await warehouse.columns(model);
  const rows = await warehouse.sample(model, columns, limit);
  const of = await warehouse.count(whole);
  return {
    count: filter === undefined ? of : await warehouse.count(model),
    of,
    columns,
    rows: rows.map((cells) => Object.fromEntries(columns.map(({ name: column }, at) => [column, cells[at] ?? null]))),
  };
}

/** The first rows of a segment, and how many of its model it has. */
export async function sampleSegment(name: string, limit: number, service: Service): Promise<SampleView> {
  const { segments } = await storedDocuments(service);
  const segment = segments.get(name);
  if (!segment) throw new NotFoundError("not_found", `There is no segment "${name}"${nearest(name, segments.keys())}`);
  return await sampleModel(segment.model, { limit, filter: segment.filter }, service);
}

async function findModel(name: string, filter: Filter | undefined, service: Service) {
  const { models, sources } = await storedDocuments(service);
  const model = models.get(name);
  if (!model) throw new NotFoundError("not_found", `There is no model "${name}"${nearest(name, models.keys())}`);
  const source = sources.get(model.source);
  if (!source) throw new NotFoundError("not_found", `There is no source "${model.source}".`);
  return { source, model: { ...modelQuery(model), ...(filter === undefined ? {} : { filter }) } };
}
