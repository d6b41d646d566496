/** A dry run: what a run would do now. */
import { resolveSync } from "../documents/resolve.ts";
import { checkGate } from "../sync/gate.ts";
import { planRequest } from "../sync/plan.ts";
import { type PreparedDestination, prepareDestination, prepareModel } from "../sync/prepare.ts";
import type { PlannedChange, RunRef } from "../warehouse.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { PlannedChangeView, PlanView } from "./operations.ts";
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
