/** Moves what the journal says into state. Recovery of a lost run is the same commit. */
import type { OutcomeRow, PlanCounts, Planner, RunRef, StagedRecord } from "../warehouse.ts";
import { type Clock, FencedError, type RunCounts, type RunStore, type SyncSpec } from "./ports.ts";

/** A rejected row is planned again after a minute, then two, four, … up to a day; a changed row at once. */
const backOff = { firstMs: 60_000, maxMs: 86_400_000 } as const;

const pageRows = 2000;

/**
 * Commits a planned run from its journal alone: every outcome as it is noted; a change that was about to be sent and
 * has none is in doubt; a change that was never sent stays as it was. Safe to repeat. `records`: what is kept of those
 * that were accepted, where the sync keeps any.
 */
export async function commit(
  { spec, ...run }: RunRef & { readonly spec: Pick<SyncSpec, "retryTimes"> },
  before: RunCounts,
  world: { store: RunStore; planner: Planner; clock: Clock },
  records: AsyncIterable<readonly StagedRecord[]> | null,
): Promise<RunCounts> {
  if (records !== null) await world.planner.records?.stage(run, records);
  const marks = new Marks(plannedChanges(before));
  const outcomes = reckon(marks, world.store.journal(run.id));
  await world.planner.record(run, outcomes);
  const keepRecords = records !== null && world.planner.records !== undefined;
  const now = world.clock.now();
  const result = await world.planner.commit(run, { now, backOff: { ...backOff, times: spec.retryTimes }, keepRecords });
  if (result === "fenced") throw new FencedError(run.id);
  // A planner that knew the run as committed has not looked at its outcomes.
  await exhaust(outcomes);
  return { ...before, ...marks.counts() };
}

/** What became of a run's changes, by its journal alone. */
export async function recount(runId: string, before: RunCounts, store: RunStore): Promise<RunCounts> {
  const marks = new Marks(plannedChanges(before));
  await exhaust(reckon(marks, store.journal(runId)));
  return { ...before, ...marks.counts() };
}

/** Exactly one outcome for each change that was sent. */
async function* reckon(marks: Marks, journal: ReturnType<RunStore["journal"]>): AsyncGenerator<readonly OutcomeRow[]> {
  let page: OutcomeRow[] = [];
  for await (const { sending, outcomes } of journal) {
    for (const [from, to] of sending) marks.sent(from, to);
    page.push(...outcomes.filter((outcome) => marks.settle(outcome)));
    if (page.length < pageRows) continue;
    yield page;
    page = [];
  }
  for (const seq of marks.unanswered()) {
    page.push({ seq, kind: "in_doubt" });
    if (page.length < pageRows) continue;
    yield page;
    page = [];
  }
  yield page;
}

async function exhaust(pages: AsyncIterable<unknown>): Promise<void> {
  for await (const page of pages) void page;
}

/** All changes of a run's plan; 0 while it has none. */
export function plannedChanges({ plan }: RunCounts): number {
  return plan === null ? 0 : plannedRows(plan);
}

/** All changes of a plan: added, changed, removed, and those withheld for their keys. */
export function plannedRows(plan: PlanCounts): number {
  return plan.added + plan.changed + plan.removed + plan.nullKeys + plan.duplicateKeys + plan.duplicateMatches;
}

export const noCounts: RunCounts = {
  plan: null,
  accepted: 0,
  rejected: 0,
  invalid: 0,
  inDoubt: 0,
  unsent: 0,
  alreadyThere: 0,
  requests: 0,
};

/** Two bits a change, so that a plan of millions is accounted for in little memory. */
class Marks {
  readonly #planned: number;
  readonly #marks: Uint8Array;
  readonly #counts = { accepted: 0, rejected: 0, invalid: 0, in_doubt: 0 };
  /** Changes that have a mark. */
  #marked = 0;

  constructor(planned: number) {
    this.#planned = planned;
    this.#marks = new Uint8Array((planned >> 2) + 1);
  }

  sent(from: number, to: number): void {
    for (let seq = from; seq <= to; seq += 1) if (this.#get(seq) === mark.unsent) this.#set(seq, mark.sent);
  }

  /** False for a second outcome of one change: the first one stands. */
  settle({ seq, kind }: OutcomeRow): boolean {
    if (this.#get(seq) === mark.settled) return false;
    this.#set(seq, mark.settled);
    this.#counts[kind] += 1;
    return true;
  }

  *unanswered(): Generator<number> {
    for (let seq = 1; seq <= this.#planned; seq += 1) if (this.#get(seq) === mark.sent) yield seq;
  }

  counts(): Pick<RunCounts, "accepted" | "rejected" | "invalid" | "inDoubt" | "unsent"> {
    const { accepted, rejected, invalid } = this.#counts;
    const inDoubt = this.#planned - accepted - rejected - invalid;
    return { accepted, rejected, invalid, inDoubt, unsent: this.#planned - this.#marked };
  }

  #get(seq: number): number {
    return ((this.#marks[seq >> 2] ?? 0) >> ((seq & 3) * 2)) & 3;
  }

  #set(seq: number, to: number): void {
    if (this.#get(seq) === mark.unsent && seq <= this.#planned) this.#marked += 1;
    this.#marks[seq >> 2] = (this.#marks[seq >> 2] ?? 0) | (to << ((seq & 3) * 2));
  }
}

/** As bits: what is settled has the bit of what was sent, so bits are only ever added. */
const mark = { unsent: 0, sent: 1, settled: 3 } as const;
