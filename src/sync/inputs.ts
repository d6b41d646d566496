/**
 * Spares a comparison whose result is known. When the tables behind a model have not changed since a run after which
 * nothing was left to do, there is nothing to do now.
 */
import { hash } from "node:crypto";
import type { ClaimedRun } from "./claimed-run.ts";
import { mappingSalt } from "./plan.ts";
import type { RunEnd } from "./ports.ts";
import type { World } from "./world.ts";

/** However sure the warehouse is, a full comparison runs once a day. */
const trustedMs = 86_400_000;

/** What the model was made of when a run began; null when the sync does not ask, or the warehouse cannot tell. */
export type Inputs = string | null;

/** Asks the warehouse before anything is planned: what changes from now on is seen by the next run. */
export async function readInputs(
  { spec, stage, kind }: ClaimedRun,
  world: World,
  signal: AbortSignal,
): Promise<Inputs> {
  // What is looked up changes without the model.
  if (spec.lookups !== undefined) return null;
  if (spec.skipUnchanged !== true || stage !== "new" || kind === "keys" || kind === "revert") return null;
  const token = (await world.warehouse.inputsToken?.(spec.model, signal)) ?? null;
  if (token === null) return null;
  return hash("sha256", JSON.stringify([token, spec.model, spec.mode, spec.removed, mappingSalt(spec)]), "hex");
}

/** Whether the last clean comparison saw just these inputs. If not, that it did is forgotten before anything is sent. */
export async function isUnchanged(
  run: ClaimedRun,
  inputs: Inputs,
  { store, stateName, clock }: World,
): Promise<boolean> {
  if (run.spec.skipUnchanged !== true || run.stage !== "new") return false;
  const mark = await store.inputs(stateName);
  const fresh = mark !== null && clock.now().getTime() - mark.comparedAt.getTime() < trustedMs;
  const asksOnlyForChanges = run.kind === "changes" && run.keys.length === 0;
  if (asksOnlyForChanges && inputs !== null && fresh && mark.token === inputs) return true;
  await store.keepInputs(run, stateName, null);
  return false;
}

/** Remembers the inputs of a run that left nothing: no rejection, no doubt, no row that waits. */
export async function rememberInputs(run: ClaimedRun, inputs: Inputs, end: RunEnd, world: World): Promise<void> {
  const clean = end.status === "succeeded" && end.counts.plan?.waiting === 0;
  if (inputs === null || !clean) return;
  await world.store.keepInputs(run, world.stateName, { token: inputs, comparedAt: world.clock.now() });
}
