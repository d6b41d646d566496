/** The safety check between plan and send, and while it is sent. */
import { SluiceError } from "../errors.ts";
import type { PlanCounts } from "../warehouse.ts";
import type { Bound, GateReport, GateSpec, RunKind, SentCounts } from "./ports.ts";
import type { Survey } from "./survey.ts";

/** Why a plan must not be sent before a person has looked, or null when it may go. */
export function checkGate(plan: PlanCounts, gate: GateSpec, kind: RunKind): GateReport | null {
  // Of named rows it is no wonder that all of them are gone.
  const empty = kind === "keys" ? null : emptyModel(plan);
  const removals = empty === null ? tooManyRemovals(plan, gate) : null;
  const reasons = [empty, removals, faultyKeys(plan, gate)].filter((reason) => reason !== null);
  return reasons.length === 0 ? null : { reasons };
}

type Reason = GateReport["reasons"][number] | null;

function emptyModel({ modelRows, stateRows, removed }: PlanCounts): Reason {
  if (modelRows > 0 || removed === 0) return null;
  return {
    code: "model_empty",
    message: `The model is empty, but ${count(stateRows, "row")} had been sent before. All of them would be removed.`,
  };
}

function tooManyRemovals({ removed, stateRows }: PlanCounts, gate: GateSpec): Reason {
  if (!exceeds(removed, stateRows, gate.removed)) return null;
  const share = ((100 * removed) / stateRows).toFixed(1);
  return {
    code: "too_many_removals",
    message: `${count(removed, "row")} of ${stateRows} would be removed (${share}%); the gate allows ${describeBound(gate.removed)}.`,
  };
}

/**
 * Why a plan must not be sent for what it changes, or null. By now every change was looked at: a mapping that was
 * edited plans every row as changed, but not every record changes.
 */
export function checkChanges(survey: Survey, { stateRows }: PlanCounts, gate: GateSpec): GateReport | null {
  const reasons: GateReport["reasons"][number][] = [];
  if (gate.changed !== undefined && exceeds(survey.changed, stateRows, gate.changed)) {
    const message = `${count(survey.changed, "record")} of ${stateRows} would change; the gate allows ${describeBound(gate.changed)}.`;
    reasons.push({ code: "too_many_changes", message });
  }
  const changed = new Map(survey.fields.map((one) => [one.field, one.changed]));
  for (const [field, bound] of Object.entries(gate.fields ?? {})) {
    const records = changed.get(field) ?? 0;
    if (!exceeds(records, stateRows, bound)) continue;
    const message = `${count(records, "record")} of ${stateRows} would change "${field}"; the gate allows ${describeBound(bound)}.`;
    reasons.push({ code: "too_many_changes", message });
  }
  return reasons.length === 0 ? null : { reasons };
}

/** Whether the gate asks what would change. */
export function gatesChanges({ changed, fields = {} }: GateSpec): boolean {
  return changed !== undefined || Object.keys(fields).length > 0;
}

function faultyKeys({ nullKeys, duplicateKeys, duplicateMatches }: PlanCounts, gate: GateSpec): Reason {
  const faulty = nullKeys + duplicateKeys + duplicateMatches;
  if (gate.keys !== "hold" || faulty === 0) return null;
  return {
    code: "faulty_keys",
    message: `${nullKeys} null keys, ${duplicateKeys} rows with a duplicate key, ${duplicateMatches} rows with duplicate match values; the gate holds on any.`,
  };
}

/** Of fewer answers nothing can be told. */
const enoughToTell = 500;

/** Throws when the destination refuses most of what is sent: something is wrong with the sync, not with single rows. */
export function checkRejections(
  { accepted, alreadyThere, rejected, inDoubt }: Omit<SentCounts, "requests">,
  gate: GateSpec,
): void {
  const answered = accepted - alreadyThere + rejected + inDoubt;
  if (answered < enoughToTell || !exceeds(rejected, answered, gate.rejected)) return;
  throw new SluiceError(
    "too_many_rejections",
    `The destination rejected ${rejected} of the first ${answered} changes; the gate allows ${describeBound(gate.rejected)}.`,
    { hint: 'Look at "sluice rejections" for the reasons. The changes that were not sent stay planned.' },
  );
}

/** Whether `part` of `whole` is more than a bound allows. */
export function exceeds(part: number, whole: number, bound: Bound): boolean {
  return "rows" in bound ? part > bound.rows : part * 100 > bound.percent * whole;
}

export function describeBound(bound: Bound): string {
  return "rows" in bound ? count(bound.rows, "row") : `${bound.percent}%`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
