/** A dry run: what a run would do now. */
import { resolveSync } from "../documents/resolve.ts";
import { checkChanges, checkGate, gatesChanges } from "../sync/gate.ts";
import { planRequest } from "../sync/plan.ts";
import { prepareDestination, prepareModel } from "../sync/prepare.ts";
import { requireKeeping } from "../sync/records.ts";
import { Survey } from "../sync/survey.ts";
import type { World } from "../sync/world.ts";
import type { PlannedChange, RunRef } from "../warehouse.ts";
import { changeView } from "./change-view.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import type { PlannedChangeView, PlanView } from "./run-schemas.ts";
import type { Service } from "./service.ts";
import { plannedCounts } from "./views.ts";

/** Of a plan that is only looked at. */
export const dryRun: RunRef = { id: "preview", fence: 0 };

/** Rows of a plan that are in memory at a time. */
const pageRows = 1000;

/** Plans without committing, and maps every change. Sends nothing; state and held plans stay. */
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
  const { connection, place, secondsFor } = opened.use(await openDestination(target, service));
  const stateOf: World["stateOf"] = (one) => plannerName(one, place);
  const { columns, ...model } = await prepareModel(spec, { warehouse, connection, kinds, stateOf }, signal);
  const { object, map } = await prepareDestination(spec, { columns, ...model }, { connection, kinds }, signal);
  const planner = warehouse.planner(plannerName(spec, place));
  requireKeeping(spec, planner);
  const kind = full ? "full" : "changes";
  const now = service.clock.now();
  const request = planRequest(spec, { ...dryRun, kind, keys: [] }, columns, { connection, now });
  const plan = await planner.plan({ ...request, dryRun: true }, signal);
  const records = spec.keepValues === true ? (planner.records ?? null) : null;
  const survey = new Survey({ spec, kind, object, map, records });
  const sample = new Sample(limit);
  for await (const page of planner.read(dryRun, { columns, pageRows, dryRun: true }, signal)) {
    for (const { planned, becomes, changes } of await survey.add(page))
      if (becomes !== "already there") sample.offer(planned, () => changeView(planned, map, changes));
  }
  survey.end();
  const gate = checkGate(plan, spec.gate, kind);
  return {
    sync,
    planned: plannedCounts(plan),
    unchanged: plan.unchanged,
    waiting: plan.waiting,
    to_send: survey.toSend,
    already_there: survey.alreadyThere,
    invalid: survey.invalid,
    causes: survey.causes,
    fields: records === null ? null : survey.fields,
    gate: gate ?? (gatesChanges(spec.gate) ? checkChanges(survey, plan, spec.gate) : null),
    sample: sample.taken,
    requests: survey.requests,
    seconds_at_pace: secondsFor(survey.requests),
  };
}

/** The first changes of each kind. */
export class Sample {
  readonly taken: PlannedChangeView[] = [];
  readonly #limit: number;
  readonly #counts = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  offer({ kind }: PlannedChange, view: () => PlannedChangeView): void {
    const taken = this.#counts.get(kind) ?? 0;
    if (taken >= this.#limit) return;
    this.#counts.set(kind, taken + 1);
    this.taken.push(view());
  }
}
