/** A dry run: what a run would do now. */
import type { Documents } from "../documents/documents.ts";
import { mergePatch } from "../documents/merge-patch.ts";
import { parseDocument } from "../documents/parse.ts";
import { InvalidDocument } from "../documents/problem.ts";
import { resolveSync } from "../documents/resolve.ts";
import { checkGate } from "../sync/gate.ts";
import { planRequest } from "../sync/plan.ts";
import { type PreparedDestination, prepareDestination, prepareModel } from "../sync/prepare.ts";
import type { PlannedChange, RunRef } from "../warehouse.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { PreviewOptions } from "./operations.ts";
import type { PlannedChangeView, PlanView, PreviewView } from "./schemas.ts";
import type { Service } from "./service.ts";
import { plannedCounts } from "./views.ts";

/** Plans without committing, and maps the first changes of each kind. Sends nothing; state and held plans stay. */
export async function previewPlan(
  sync: string,
  { full, limit }: { full: boolean; limit: number },
  service: Service,
): Promise<PlanView> {
  const kinds = await service.registry.mappingKinds();
  const { spec, source, destination: target } = resolveSync(await storedDocuments(service), sync, kinds);
  const signal = new AbortController().signal;
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  const { connection, place } = opened.use(await openDestination(target, service));
  const model = await prepareModel(spec, { warehouse, connection, kinds }, signal);
  const destination = await prepareDestination(spec, model, { connection, kinds }, signal);
  const planner = warehouse.planner(plannerName(spec, place));
  const run: RunRef = { id: "preview", fence: 0 };
  const kind = full ? "full" : "changes";
  const now = service.clock.now();
  const request = planRequest(spec, { ...run, kind, keys: [] }, model.columns, { connection, now });
  const plan = await planner.plan({ ...request, dryRun: true }, signal);
  const sample: PlannedChangeView[] = [];
  const firsts = startsOf(plan, limit);
  for (const { afterSeq, rows } of firsts) {
    const pages = planner.read(
      run,
      { columns: model.columns, pageRows: rows, afterSeq, limit: rows, dryRun: true },
      signal,
    );
    for await (const page of pages) sample.push(...page.map((change) => changeView(change, destination)));
  }
  const { records } = destination.object.batch;
  return {
    sync,
    planned: plannedCounts(plan),
    unchanged: plan.unchanged,
    waiting: plan.waiting,
    gate: checkGate(plan, spec.gate, kind),
    sample,
    sample_invalid: sample.filter(({ problem }) => problem !== null).length,
    batches: Math.ceil(plan.removed / records) + Math.ceil((plan.added + plan.changed) / records),
  };
}

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
  const { connection } = opened.use(await openDestination(target, service));
  const model = await prepareModel(spec, { warehouse, connection, kinds }, signal);
  const destination = await prepareDestination(spec, model, { connection, kinds }, signal);
  const keys = model.modelColumns.filter((column) => spec.model.key.includes(column.name));
  const rows = await warehouse.sample(spec.model, [...model.columns, ...keys], limit, signal);
  const records = rows.map((cells, at) => {
    const texts = cells.slice(model.columns.length);
    const rowKey = texts.length === 1 ? (texts[0] ?? "") : JSON.stringify(texts);
    const row = { seq: at + 1, kind: "added", rowKey, known: null, named: false, reclaimed: false } as const;
    const { row_key, match, record, problem } = changeView({ ...row, cells }, destination);
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

/** Where each kind of change begins in a plan (removed, faulty keys, changed, added), and how many to show of it. */
function startsOf(
  plan: {
    removed: number;
    nullKeys: number;
    duplicateKeys: number;
    duplicateMatches: number;
    changed: number;
    added: number;
  },
  limit: number,
): readonly { afterSeq: number; rows: number }[] {
  const faulty = plan.nullKeys + plan.duplicateKeys + plan.duplicateMatches;
  const sizes = [plan.removed, faulty, plan.changed, plan.added];
  let afterSeq = 0;
  return sizes.flatMap((size) => {
    const start = { afterSeq, rows: Math.min(size, limit) };
    afterSeq += size;
    return start.rows === 0 ? [] : [start];
  });
}

function changeView(planned: PlannedChange, { map }: PreparedDestination): PlannedChangeView {
  const shown = { row_key: planned.rowKey, change: planned.kind, destination_id: planned.known?.destinationId ?? null };
  if (planned.kind === "null_key" || planned.kind === "duplicate_key" || planned.kind === "duplicate_match") {
    return {
      ...shown,
      match: {},
      record: null,
      problem: { code: planned.kind, message: planned.kind.replace("_", " "), field: null },
    };
  }
  const mapped = map(planned);
  if (mapped.kind === "invalid") {
    const { code, message, field = null } = mapped.row;
    return { ...shown, match: {}, record: null, problem: { code, message, field } };
  }
  const { match, record } = mapped.change;
  return { ...shown, match, record: planned.kind === "removed" ? null : record, problem: null };
}
