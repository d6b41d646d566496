/** The exact records that rows become, by a saved mapping or a draft. */
import type { Documents } from "../documents/documents.ts";
import { mergePatch } from "../documents/merge-patch.ts";
import { parseDocument } from "../documents/parse.ts";
import { InvalidDocument } from "../documents/problem.ts";
import { resolveSync } from "../documents/resolve.ts";
import { prepareDestination, prepareModel } from "../sync/prepare.ts";
import type { World } from "../sync/world.ts";
import { changeView } from "./change-view.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { PreviewOptions } from "./operations.ts";
import type { PreviewView } from "./run-schemas.ts";
import type { Service } from "./service.ts";

/** Maps the first rows of the model as a run would that sees them for the first time. Sends nothing. */
export async function previewRecords(
  name: string,
  { limit, draft }: PreviewOptions,
  service: Service,
): Promise<PreviewView> {
  const kinds = await service.registry.mappingKinds();
  const documents = await storedDocuments(service);
  const known = draft === undefined ? documents : await withDraft(documents, name, draft, service);
  const { spec, source, destination: target } = resolveSync(known, name, kinds);
  const signal = new AbortController().signal;
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  const { connection, place } = opened.use(await openDestination(target, service));
  const stateOf: World["stateOf"] = (one) => plannerName(one, place);
  const model = await prepareModel(spec, { warehouse, connection, kinds, stateOf }, signal);
  const destination = await prepareDestination(spec, model, { connection, kinds }, signal);
  const keys = model.modelColumns.filter((column) => spec.model.key.includes(column.name));
  const rows = await warehouse.sample(spec.model, [...model.columns, ...keys], limit, signal);
  const records = rows.map((cells, at) => {
    const texts = cells.slice(model.columns.length);
    const rowKey = texts.length === 1 ? (texts[0] ?? "") : JSON.stringify(texts);
    const row = { seq: at + 1, kind: "added", rowKey, known: null, named: false, reclaimed: false } as const;
    const { row_key, match, record, problem } = changeView({ ...row, cells }, destination.map);
    return { row_key, match, record, problem };
  });
  return { sync: name, records };
}

/** The documents as they would be with a draft of one sync. */
async function withDraft(
  documents: Documents,
  name: string,
  draft: Readonly<Record<string, unknown>>,
  { registry }: Service,
): Promise<Documents> {
  const { kind: _kind, name: _name, ...saved } = documents.syncs.get(name) ?? { kind: "sync", name };
  const checked = await parseDocument("sync", name, mergePatch(saved, draft), registry);
  if (!checked.ok) throw new InvalidDocument(checked.problems);
  return { ...documents, syncs: new Map(documents.syncs).set(name, checked.value) };
}
