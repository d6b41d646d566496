/**
 * One run of a sync, from its plan to its commit. The whole story in one function:
 * recover what was left open → look at the model → plan → look at the destination → gate → send → commit.
 */
import { DestinationError } from "../destination.ts";
import { messageOf, SluiceError } from "../errors.ts";
import { InvalidMapping } from "../mapping.ts";
import type { PlanCounts, RowKey } from "../warehouse.ts";
import { commit, noCounts, plannedChanges, plannedRows, recount } from "./commit.ts";
import { deliver } from "./deliver.ts";
import { checkGate } from "./gate.ts";
import { type Inputs, isUnchanged, readInputs, rememberInputs } from "./inputs.ts";
import { Journal } from "./journal.ts";
import { keepLease, RunStopped } from "./lease.ts";
import { planRequest } from "./plan.ts";
import type {
  GateReport,
  RunCounts,
  RunEnd,
  RunFailure,
  RunIdentity,
  RunKind,
  RunProgress,
  SyncSpec,
} from "./ports.ts";
import { FencedError } from "./ports.ts";
import { prepareDestination, type PreparedDestination, type PreparedModel, prepareModel } from "./prepare.ts";
import { lostEnd, recover, settle } from "./recover.ts";
import type { World } from "./world.ts";

/** A claimed run. `new` is planned first; `released` goes on with the plan that the gate held; `lost` is only settled. */
export interface ClaimedRun extends RunIdentity {
  readonly kind: RunKind;
  /** Rows that are sent even if nothing about them changed. */
  readonly keys: readonly RowKey[];
  readonly stage: "new" | "released" | "lost";
  readonly spec: SyncSpec;
}

export type RunResult =
  | (RunEnd & { readonly gate: null })
  | (RunProgress & { readonly status: "held"; readonly gate: GateReport });

/** Rows of the plan that are in memory at a time. */
const pageRows = 1000;

/**
 * Does a run whole, and stores how it ended. Never throws for what goes wrong with the run: that is its end. Throws
 * FencedError when another worker took over, and then has written nothing since.
 */
export async function executeRun(run: ClaimedRun, world: World, outer: AbortSignal): Promise<RunResult> {
  const lease = keepLease(run, world, outer);
  const report = new Report(run, world);
  try {
    await recover(run, world, run.stage === "released");
    if (run.stage === "lost") return await report.end(lostEnd(await countsOfSettled(run, world)));
    const inputs = await readInputs(run, world, lease.signal);
    if (await isUnchanged(run, inputs, world))
      return await report.end(endOf({ ...noCounts, plan: nothing }, null, world.clock.now()));
    const model = await prepareModel(run.spec, world, lease.signal);
    const plan =
      run.stage === "new" ? await planNew(run, model, world, report, lease.signal) : await takeUp(run, world);
    if (plannedRows(plan) === 0) return await endEmpty(run, plan, inputs, world, report);
    const destination = await prepareDestination(run.spec, model, world, lease.signal);
    // A baseline removes nothing, whatever is gone.
    const gated = run.stage === "new" && run.kind !== "baseline";
    const gate = gated ? checkGate(plan, run.spec.gate, run.kind) : null;
    if (gate) return await report.hold(gate, plan);
    await report.step("sending", { plan });
    const failure = await send(run, { ...model, ...destination }, world, report, lease.signal);
    await report.step("committing");
    const counts = await commit(run, report.counts, world);
    const end = endOf({ ...counts, requests: world.requests() }, failure, world.clock.now());
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
  return planner.plan(planRequest(run.spec, run, columns, { connection, now: clock.now() }), signal);
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
  { columns, object, map }: PreparedModel & PreparedDestination,
  world: World,
  report: Report,
  signal: AbortSignal,
): Promise<unknown> {
  const journal = new Journal(world.store, run);
  const pages = world.planner.read(run, { columns, pageRows }, signal);
  const { spec, kind } = run;
  const { connection, concurrency, clock } = world;
  const onProgress = (): void => report.sent({ ...journal.tally, requests: world.requests() });
  try {
    await deliver({ run, spec, object, connection, journal, map, kind, concurrency, clock, onProgress }, pages, signal);
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
    const open = (await world.planner.openRuns()).some(({ id }) => id === run.id);
    const counts = open ? await settle(run, world) : await countsOfSettled(run, world);
    return await report.end(endOf({ ...counts, requests: world.requests() }, reason, world.clock.now()));
  } catch (error) {
    if (error instanceof FencedError) throw error;
    // The plan's counts stay stored, for by them recovery knows that something may have been sent.
    const stored = report.counts.plan === null ? await world.store.counts(run.id) : null;
    const counts = stored ?? { ...report.counts, requests: world.requests() };
    const inDoubt = plannedChanges(counts) - counts.accepted - counts.rejected - counts.invalid;
    return await report.end(endOf({ ...counts, inDoubt }, reason, world.clock.now()), { keepJournal: true });
  }
}

function endOf(counts: RunCounts, reason: unknown, now: Date): RunEnd {
  if (reason instanceof RunStopped && reason.reason === "cancelled")
    return { status: "cancelled", counts, failure: null };
  if (reason !== null && reason !== undefined) return { status: "failed", counts, failure: failureOf(reason, now) };
  const clean = counts.rejected + counts.invalid + counts.inDoubt === 0;
  return { status: clean ? "succeeded" : "partial", counts, failure: null };
}

/** What a person is told of an error that ended a run. */
export function failureOf(error: unknown, now: Date): RunFailure {
  const message = messageOf(error);
  if (error instanceof SluiceError) return { code: error.code, message, hint: error.hint };
  if (error instanceof DestinationError) {
    const told = { code: error.code, message, hint: destinationHints[error.kind] };
    return mayPass(error) ? { ...told, again_at: againAt(error, now).toISOString() } : told;
  }
  if (error instanceof InvalidMapping) return { code: "mapping_invalid", message };
  if (error instanceof RunStopped) return { code: "interrupted", message, hint: "The next run goes on." };
  return { code: "internal_error", message, hint: "This is a defect of Sluice. Please report it." };
}

/** It is the destination's own trouble, and may be over by itself. */
function mayPass({ kind }: DestinationError): boolean {
  return kind === "busy" || kind === "unavailable";
}

/** A destination that is down is asked seldom: each run tries for half a minute already. */
const downMs = 60_000;

/** When the destination said, or in a while. */
function againAt({ retryAfterMs = downMs }: DestinationError, now: Date): Date {
  return new Date(now.getTime() + Math.max(retryAfterMs, 1000));
}

const destinationHints: Readonly<Record<DestinationError["kind"], string>> = {
  unauthorized: 'Mend the destination\'s credential, then try "sluice check".',
  busy: "The destination asks to wait. A service goes on by itself then; nothing is lost.",
  unavailable: "The destination could not be reached or failed. A service tries again by itself; nothing is lost.",
  refused: "The destination refused the request itself, not single rows.",
};

/** The run's counts as they grow: told to the caller at once, to the store at every step and once in a while. */
class Report {
  counts: RunCounts = noCounts;
  readonly #run: RunIdentity;
  readonly #world: World;
  #storedAt = 0;

  constructor(run: RunIdentity, world: World) {
    this.#run = run;
    this.#world = world;
  }

  async step(status: RunProgress["status"], counts: Partial<RunCounts> = {}): Promise<void> {
    this.counts = { ...this.counts, ...counts };
    const progress = { status, counts: this.counts };
    this.#world.onProgress?.(progress);
    await this.#world.store.progress(this.#run, progress);
  }

  sent(counts: Partial<RunCounts>): void {
    this.counts = { ...this.counts, ...counts };
    const progress = { status: "sending", counts: this.counts } as const;
    this.#world.onProgress?.(progress);
    const now = this.#world.clock.now().getTime();
    if (now - this.#storedAt < 1000) return;
    this.#storedAt = now;
    // Only for those who watch: the journal is the truth, and a fence is met by the next append.
    this.#world.store.progress(this.#run, progress).catch(() => undefined);
  }

  /** Status, counts and reasons in one write: whoever sees a held run sees why. */
  async hold(gate: GateReport, plan: PlanCounts): Promise<RunResult> {
    this.counts = { ...this.counts, plan };
    const progress = { status: "held", counts: this.counts } as const;
    await this.#world.store.hold(this.#run, gate, progress);
    this.#world.onProgress?.(progress);
    return { ...progress, gate };
  }

  async end(end: RunEnd, options: { keepJournal: boolean } = { keepJournal: false }): Promise<RunResult> {
    await this.#world.store.end(this.#run, end, options);
    this.#world.onProgress?.(end);
    return { ...end, gate: null };
  }
}
