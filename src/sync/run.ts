/**
 * One run of a sync, from its plan to its commit. The whole story in one function:
 * recover what was left open → look at the model → plan → look at the destination → gate → send → commit.
 */
import { SluiceError } from "../errors.ts";
import { type PlanCounts, revertColumns } from "../warehouse.ts";
import type { ClaimedRun } from "./claimed-run.ts";
import { commit, noCounts, plannedChanges, plannedRows, recount } from "./commit.ts";
import { dismissOthers, sendDivided, stretchesOf } from "./divide.ts";
import { endOf } from "./ending.ts";
import { checkChanges, checkGate, gatesChanges } from "./gate.ts";
import { type Inputs, isUnchanged, readInputs, rememberInputs } from "./inputs.ts";
import { Journal } from "./journal.ts";
import { keepLease, type Renew } from "./lease.ts";
import { planRequest } from "./plan.ts";
import type { GateReport, RunCounts, SentCounts } from "./ports.ts";
import { FencedError } from "./ports.ts";
import {
  prepareDestination,
  type PreparedDestination,
  type PreparedModel,
  prepareModel,
  prepareRevert,
} from "./prepare.ts";
import { planRevert, requireKeeping, stagedRecords } from "./records.ts";
import { lostEnd, recover, settle } from "./recover.ts";
import { Report, type RunResult } from "./report.ts";
import { pageRows, sendStretch } from "./send.ts";
import { nothingSent, plus } from "./sent.ts";
import { Survey } from "./survey.ts";
import type { World } from "./world.ts";

/**
 * Does a run whole, and stores how it ended. Never throws for what goes wrong with the run: that is its end. Throws
 * FencedError when another worker took over, and then has written nothing since.
 */
export async function executeRun(run: ClaimedRun, world: World, outer: AbortSignal): Promise<RunResult> {
  const renew = async (): ReturnType<Renew> => ({ stopped: (await world.store.renew(run)).cancelRequested });
  const lease = keepLease(run.id, renew, world, outer);
  const report = new Report(run, world);
  try {
    await recover(run, world, { keepOwn: run.stage === "released", signal: lease.signal });
    if (run.stage === "lost") return await report.end(lostEnd(await countsOfSettled(run, world)));
    const inputs = await readInputs(run, world, lease.signal);
    if (await isUnchanged(run, inputs, world))
      return await report.end(endOf({ ...noCounts, plan: nothing }, null, world.clock.now()));
    const model = run.kind === "revert" ? noModel : await prepareModel(run.spec, world, lease.signal);
    const plan =
      run.stage === "new" ? await planNew(run, model, world, report, lease.signal) : await takeUp(run, world);
    if (plannedRows(plan) === 0) return await endEmpty(run, plan, inputs, world, report);
    const destination = await lookAtDestination(run, model, world, lease.signal);
    const gate =
      run.stage === "new" ? await askGate(run, plan, { ...model, ...destination }, world, lease.signal) : null;
    if (gate) return await report.hold(gate, plan);
    await report.step("sending", { plan });
    const failure = await send(run, { ...model, ...destination, plan }, world, report, lease.signal);
    const others = await dismissOthers(run, world);
    await report.step("committing");
    const counts = await commit(run, report.counts, world, recordsOf(run, model, destination, world));
    const requests = world.requests() + others.requests;
    const end = endOf({ ...counts, requests }, failure, world.clock.now());
    await rememberInputs(run, inputs, end, world);
    return await report.end(end);
  } catch (error) {
    if (error instanceof FencedError) throw error;
    return await endEarly(run, world, report, error);
  } finally {
    await lease.stop();
  }
}

/** Its plan is settled by now; perhaps it had been already, and only its end was not stored. */
async function countsOfSettled(run: ClaimedRun, { store }: World): Promise<RunCounts> {
  const before = (await store.counts(run.id)) ?? noCounts;
  return recount(run.id, before, store);
}

async function planNew(
  run: ClaimedRun,
  { columns }: PreparedModel,
  { planner, connection, clock }: World,
  report: Report,
  signal: AbortSignal,
): Promise<PlanCounts> {
  await report.step("planning");
  requireKeeping(run.spec, planner);
  const now = clock.now();
  if (run.kind === "revert")
    return (await planRevert({ ...run, reverts: run.reverts ?? "" }, { planner, now }, signal)).plan;
  return planner.plan(planRequest(run.spec, run, columns, { connection, now }), signal);
}

/** What a revert sends is not in the model, but in the planner. */
const noModel: PreparedModel = { modelColumns: [], columns: revertColumns };

async function lookAtDestination(
  { kind, spec }: ClaimedRun,
  model: PreparedModel,
  world: World,
  signal: AbortSignal,
): Promise<PreparedDestination> {
  if (kind === "revert") return prepareRevert(spec, world, signal);
  return prepareDestination(spec, model, world, signal);
}

/** Why the run is held, or null when it may send. */
async function askGate(
  run: ClaimedRun,
  plan: PlanCounts,
  { columns, object, map }: PreparedModel & PreparedDestination,
  { planner }: World,
  signal: AbortSignal,
): Promise<GateReport | null> {
  const { kind, spec } = run;
  // A baseline sends nothing, whatever differs or is gone; a revert was looked at by a person.
  if (kind === "baseline" || kind === "revert") return null;
  const held = checkGate(plan, spec.gate, kind);
  if (held || !gatesChanges(spec.gate)) return held;
  const survey = new Survey({ spec, kind, object, map, records: planner.records ?? null });
  for await (const page of planner.read(run, { columns, pageRows }, signal)) await survey.add(page);
  return checkChanges(survey, plan, spec.gate);
}

function recordsOf(
  run: ClaimedRun,
  { columns }: PreparedModel,
  { map }: PreparedDestination,
  { planner }: World,
): ReturnType<typeof stagedRecords> | null {
  return run.spec.keepValues === true ? stagedRecords(run, columns, map, planner) : null;
}

/** Goes on with the plan that was held: a person has released it. */
async function takeUp(run: ClaimedRun, world: World): Promise<PlanCounts> {
  const counts = await world.store.counts(run.id);
  if (counts?.plan && (await world.planner.takeOver(run))) return counts.plan;
  throw new SluiceError("plan_gone", "The plan that was held is no longer there.", { hint: "Start a new run." });
}

/** Nothing differs: the destination is not even asked. */
async function endEmpty(
  run: ClaimedRun,
  plan: PlanCounts,
  inputs: Inputs,
  world: World,
  report: Report,
): Promise<RunResult> {
  await world.planner.discard(run);
  const end = endOf({ ...report.counts, plan }, null, world.clock.now());
  await rememberInputs(run, inputs, end, world);
  return report.end(end);
}

/** The plan of a run that was spared. */
const nothing: PlanCounts = {
  added: 0,
  changed: 0,
  removed: 0,
  nullKeys: 0,
  duplicateKeys: 0,
  duplicateMatches: 0,
  unchanged: 0,
  waiting: 0,
  modelRows: 0,
  stateRows: 0,
  notFound: 0,
};

/** Sends the plan. Returns why it stopped early, if it did: what was sent is committed either way. */
async function send(
  run: ClaimedRun,
  { plan, ...prepared }: PreparedModel & PreparedDestination & { readonly plan: PlanCounts },
  world: World,
  report: Report,
  signal: AbortSignal,
): Promise<unknown> {
  const journal = new Journal((entry) => world.store.append(run, entry));
  let others = nothingSent;
  const onProgress = (): void => report.sent(plus(others, { ...journal.tally, requests: world.requests() }));
  const onOthers = (sent: SentCounts): void => {
    others = sent;
    onProgress();
  };
  const sending = { run, ...prepared, journal, world, onProgress };
  const stretches = stretchesOf(run, plan, world);
  try {
    if (stretches.length === 0) await sendStretch(sending, {}, signal);
    else await sendDivided(sending, stretches, onOthers, signal);
    return null;
  } catch (error) {
    if (signal.reason instanceof FencedError || error instanceof FencedError) throw new FencedError(run.id);
    return signal.aborted ? signal.reason : error;
  }
}

/**
 * Ends a run that failed outside of sending. Its plan, if there is one, is settled as after a crash; when even that
 * cannot be done now, the journal is kept and the next run of this sync does it.
 */
async function endEarly(run: ClaimedRun, world: World, report: Report, reason: unknown): Promise<RunResult> {
  try {
    // To settle it was all that there was to do.
    if (run.stage === "lost") return await leaveOpen(run, world, report, reason);
    const others = await dismissOthers(run, world);
    const open = (await world.planner.openRuns()).some(({ id }) => id === run.id);
    const counts = open ? await settle(run, world) : await countsOfSettled(run, world);
    const requests = world.requests() + others.requests;
    return await report.end(endOf({ ...counts, requests }, reason, world.clock.now()));
  } catch (error) {
    if (error instanceof FencedError) throw error;
    return await leaveOpen(run, world, report, reason);
  }
}

async function leaveOpen(run: ClaimedRun, world: World, report: Report, reason: unknown): Promise<RunResult> {
  // The plan's counts stay stored, for by them recovery knows that something may have been sent.
  const stored = report.counts.plan === null ? await world.store.counts(run.id) : null;
  const counts = stored ?? { ...report.counts, requests: world.requests() };
  const inDoubt = plannedChanges(counts) - counts.accepted - counts.rejected - counts.invalid;
  return await report.end(endOf({ ...counts, inDoubt }, reason, world.clock.now()), { keepJournal: true });
}
