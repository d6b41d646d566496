/** What people are shown of what the store holds. */
import type { Run } from "../store/runs.ts";
import type { PlanCounts } from "../warehouse.ts";
import type { PlannedCounts, RunView } from "./run-schemas.ts";

export function runView(run: Run, now: Date): RunView {
  const { counts, startedAt, endedAt } = run;
  return {
    run: run.id,
    sync: run.sync,
    kind: run.kind,
    reverts: run.reverts,
    trigger: run.trigger,
    status: run.status,
    planned: counts.plan && plannedCounts(counts.plan),
    unchanged: counts.plan?.unchanged ?? 0,
    waiting: counts.plan?.waiting ?? 0,
    not_found: counts.plan?.notFound ?? 0,
    accepted: counts.accepted,
    rejected: counts.rejected,
    invalid: counts.invalid,
    in_doubt: counts.inDoubt,
    unsent: counts.unsent,
    already_there: counts.alreadyThere,
    requests: counts.requests,
    seconds: startedAt ? ((endedAt ?? now).getTime() - startedAt.getTime()) / 1000 : 0,
    created_at: run.createdAt.toISOString(),
    started_at: startedAt?.toISOString() ?? null,
    ended_at: endedAt?.toISOString() ?? null,
    failure: run.failure,
    gate: run.gate,
  };
}

export function plannedCounts(plan: PlanCounts): PlannedCounts {
  const { added, changed, removed } = plan;
  return { added, changed, removed, faulty_keys: plan.nullKeys + plan.duplicateKeys + plan.duplicateMatches };
}
