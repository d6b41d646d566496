/**
 * Sends a large plan together with other workers: the run's own worker divides it into parts, takes one after another, and
 * so does whoever comes when it calls. It alone ends the run, after all have left. Removals go first, by itself.
 */
import { checkRejections } from "./gate.ts";
import { plannedRows } from "./commit.ts";
import type { DivisionState, RunIdentity, SentCounts } from "./ports.ts";
import type { PlanCounts } from "../warehouse.ts";
import { resumeJobs } from "./resume.ts";
import { type RunToSend, type Sending, sendStretch } from "./send.ts";
import { nothingSent, plus } from "./sent.ts";
import type { World } from "./world.ts";

/** Ranges of seq, both ends included, that any worker may send. Empty where the plan is to be sent by one alone. */
export type Stretches = readonly (readonly [number, number])[];

/** Divides a plan that is large enough for it. Rows that are removed, or cannot be sent, come before the first part. */
export function stretchesOf({ kind }: RunToSend, plan: PlanCounts, { parts, planner }: World): Stretches {
  const written = plan.added + plan.changed;
  if (parts === null || !planner.shared || kind === "baseline" || written < 2 * parts.rows) return [];
  const last = plannedRows(plan);
  const found: [number, number][] = [];
  for (let from = last - written + 1; from <= last; from += parts.rows)
    found.push([from, Math.min(last, from + parts.rows - 1)]);
  return found;
}

/** How often the others are looked at while this worker has a part, and while it has none. */
const lookMs = 1000;
const waitMs = 250;

/** Sends a divided plan. Rejects with why it stopped early. */
export async function sendDivided(
  sending: Sending,
  stretches: Stretches,
  onOthers: (sent: SentCounts) => void,
  signal: AbortSignal,
): Promise<void> {
  const { run, columns, world } = sending;
  const first = stretches[0]?.[0] ?? 1;
  if (first > 1) await sendStretch(sending, { to: first - 1 }, signal);
  await storeOf(world).divide(run, { columns, stretches });
  const others = new Others(sending, onOthers);
  const stop = new AbortController();
  const watching = others.watch(stop);
  try {
    await sendParts(sending, others, AbortSignal.any([signal, stop.signal]));
  } finally {
    stop.abort(new Error("nothing more is sent"));
    await watching;
  }
}

async function sendParts(sending: Sending, others: Others, signal: AbortSignal): Promise<void> {
  const { run, world } = sending;
  const store = storeOf(world);
  for (;;) {
    signal.throwIfAborted();
    const part = await store.take(run, "owner");
    if (part !== null) {
      await sendStretch(sending, part, signal);
      await store.end(part, part.before);
      continue;
    }
    const { waiting, joined, retaken } = await others.look();
    if (waiting + joined > 0) {
      await world.clock.sleep(waitMs, signal);
      continue;
    }
    // Of jobs that a lost worker waited for, somebody must ask.
    if (retaken) await resumeJobs(run.id, run, world, signal);
    return;
  }
}

/**
 * Waits until everybody who joined has left, and gives what they sent. Only then may the run be settled: what they were
 * about to send is in the journal.
 */
export async function dismissOthers(run: RunIdentity, { parts, clock }: World): Promise<SentCounts> {
  if (parts === null) return nothingSent;
  await parts.store.stop(run);
  for (;;) {
    const { joined, sent } = await parts.store.look(run);
    if (joined === 0) return sent;
    await clock.sleep(waitMs);
  }
}

/** What the others do meanwhile. */
class Others {
  readonly #sending: Sending;
  readonly #onSent: (sent: SentCounts) => void;

  constructor(sending: Sending, onSent: (sent: SentCounts) => void) {
    this.#sending = sending;
    this.#onSent = onSent;
  }

  async look(): Promise<DivisionState> {
    const { run, world } = this.#sending;
    const state = await storeOf(world).look(run);
    this.#onSent(state.sent);
    return state;
  }

  /** Looks every second: calls others while parts wait, and stops everything when all together are rejected too often. */
  async watch(stop: AbortController): Promise<void> {
    const { run, world, journal } = this.#sending;
    while (!stop.signal.aborted) {
      // A store that does not answer is met by who sends, too.
      const state = await this.look().catch(() => null);
      if (state !== null && state.waiting > 0) world.parts?.call(run.id, state.joined);
      try {
        if (state !== null) checkRejections(plus(state.sent, { ...journal.tally, requests: 0 }), run.spec.gate);
        await world.clock.sleep(lookMs, stop.signal);
      } catch (error) {
        stop.abort(error);
      }
    }
  }
}

function storeOf({ parts }: World): NonNullable<World["parts"]>["store"] {
  if (parts === null) throw new Error("this worker sends alone");
  return parts.store;
}
