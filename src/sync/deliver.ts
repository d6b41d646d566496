/** Sends a plan's changes in batches, several at a time, and notes one outcome for each. */
import { type Connection, DestinationError, type ObjectDescription, type Outcome } from "../destination.ts";
import { SluiceError } from "../errors.ts";
import type { OutcomeRow, PlannedChange } from "../warehouse.ts";
import { Batcher, type SendableBatch, type SendableChange, toBatch } from "./batch.ts";
import { describeBound, exceeds } from "./gate.ts";
import { InFlight } from "./in-flight.ts";
import type { Journal } from "./journal.ts";
import type { RowMapper } from "./map.ts";
import { whatToSend } from "./sort.ts";
import {
  type Clock,
  FencedError,
  type Rejection,
  type RunIdentity,
  type RunKind,
  type SyncSpec,
  type When,
} from "./ports.ts";
import { writeWhen } from "./when.ts";

export interface Delivery {
  readonly run: RunIdentity;
  readonly spec: SyncSpec;
  readonly object: ObjectDescription;
  readonly connection: Connection;
  readonly journal: Journal;
  readonly map: RowMapper;
  /** `full` sends records also when the destination is known to hold them already; `baseline` sends none. */
  readonly kind: RunKind;
  /** The fields that are not always written. */
  readonly conditional: ReadonlyMap<string, When>;
  /** Batches under way at the same time. */
  readonly concurrency: number;
  readonly clock: Clock;
  /** Called after each page of the plan, and after each batch. */
  readonly onProgress: () => void;
}

/**
 * Delivers all pages, in order. Rejected, invalid and unanswered changes do not stop it; a refused credential, a
 * destination that stays down, too many rejections and the signal do: what was not sent then has no outcome.
 */
export async function deliver(
  delivery: Delivery,
  pages: AsyncIterable<readonly PlannedChange[]>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const cut = cutOff(either, delivery.clock);
  const inFlight = new InFlight(delivery.concurrency, (reason) => stop.abort(reason));
  const batcher = new Batcher(delivery.object.batch);
  const rowKeys = new Map<number, string>();
  const send = async (batch: SendableBatch | null): Promise<void> => {
    if (batch === null) return;
    await inFlight.start(batch.operation, () => sendBatch(delivery, batch, rowKeys, either, cut.signal));
    either.throwIfAborted();
  };
  try {
    for await (const page of pages) {
      either.throwIfAborted();
      for (const batch of await sortPage(delivery, page, batcher, rowKeys)) await send(batch);
      checkRejections(delivery);
      delivery.onProgress();
    }
    await send(batcher.take());
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    await inFlight.settled();
    cut.release();
    await delivery.journal.flush();
  }
  either.throwIfAborted();
}

/** Maps a page; notes what needs no request, and returns the batches that are full. */
async function sortPage(
  delivery: Delivery,
  page: readonly PlannedChange[],
  batcher: Batcher,
  rowKeys: Map<number, string>,
): Promise<readonly SendableBatch[]> {
  const full: SendableBatch[] = [];
  const already: OutcomeRow[] = [];
  const invalid: Rejection[] = [];
  for (const planned of page) {
    const sorted = whatToSend(delivery, planned);
    if ("invalid" in sorted) invalid.push({ kind: "invalid", rowKey: planned.rowKey, ...sorted.invalid });
    else if ("already" in sorted) already.push(sorted.already);
    else {
      rowKeys.set(planned.seq, planned.rowKey);
      const closed = batcher.add(sorted.operation, sorted.sendable);
      if (closed) full.push(closed);
    }
  }
  if (already.length > 0) await delivery.journal.noteAlreadyThere(already);
  if (invalid.length > 0) await delivery.journal.note(invalid.map(toOutcomeRow), invalid);
  return full;
}

async function sendBatch(
  delivery: Delivery,
  batch: SendableBatch,
  rowKeys: Map<number, string>,
  stop: AbortSignal,
  cut: AbortSignal,
): Promise<void> {
  stop.throwIfAborted();
  await delivery.journal.intend(batch.changes.map(({ change }) => change.seq));
  await writeHalving(delivery, batch, { stop, cut }, async (changes, outcomes) => {
    const hashes = new Map(changes.map(({ change, recordHash }) => [change.seq, recordHash]));
    const rejections = outcomes.flatMap((outcome) => toRejection(outcome, rowKeys));
    const rows = outcomes.map((outcome) => ({ ...toOutcomeRow(outcome), ...acceptedDetail(outcome, hashes) }));
    for (const { seq } of outcomes) rowKeys.delete(seq);
    await delivery.journal.note(rows, rejections);
    delivery.onProgress();
  });
}

/** `stop`: begin nothing more. `cut`: let go of what is under way. */
interface Signals {
  readonly stop: AbortSignal;
  readonly cut: AbortSignal;
}

const graceMs = 10_000;

/** Requests that are under way when a run stops get a moment to be answered, so that nothing is needlessly in doubt. */
function cutOff(stop: AbortSignal, clock: Clock): { readonly signal: AbortSignal; release(): void } {
  const cut = new AbortController();
  const released = new AbortController();
  const onStop = (): void => {
    const cutNow = (): void => cut.abort(stop.reason);
    if (stop.reason instanceof FencedError) cutNow();
    else clock.sleep(graceMs, released.signal).then(cutNow, () => undefined);
  };
  stop.addEventListener("abort", onStop, { once: true });
  return { signal: cut.signal, release: () => released.abort() };
}

type Note = (changes: readonly SendableChange[], outcomes: readonly Outcome[]) => Promise<void>;

/** Writes a batch; one that is refused as a whole is halved until the culprit stands alone. */
async function writeHalving(delivery: Delivery, batch: SendableBatch, signals: Signals, note: Note): Promise<void> {
  const { operation, changes } = batch;
  try {
    const whole = toBatch(delivery.spec, delivery.run.id, operation, changes);
    const answer = await writeWhen(whole, delivery.conditional, delivery.connection, signals.cut);
    await note(changes, accountFor(changes, answer));
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    if (error.kind !== "refused") {
      if (error.applied === "unknown")
        await note(
          changes,
          changes.map(({ change }) => inDoubt(change.seq, error.message)),
        );
      throw error;
    }
    const [only, ...others] = changes;
    if (only && others.length === 0) return note(changes, [rejected(only.change.seq, error)]);
    const middle = Math.ceil(changes.length / 2);
    for (const half of [changes.slice(0, middle), changes.slice(middle)]) {
      signals.stop.throwIfAborted();
      await writeHalving(delivery, { operation, changes: half }, signals, note);
    }
  }
}

/** One outcome for each change of the batch, whatever the adapter answered: none, or two that differ, is in doubt. */
function accountFor(changes: readonly SendableChange[], answer: readonly Outcome[]): readonly Outcome[] {
  const bySeq = new Map<number, Outcome>();
  for (const outcome of answer) {
    const other = bySeq.get(outcome.seq);
    const contradicts = other !== undefined && other.kind !== outcome.kind;
    bySeq.set(
      outcome.seq,
      contradicts ? inDoubt(outcome.seq, "The destination gave two different answers for this change.") : outcome,
    );
  }
  return changes.map(
    ({ change }) =>
      bySeq.get(change.seq) ?? inDoubt(change.seq, "The destination's answer does not mention this change."),
  );
}

function inDoubt(seq: number, message: string): Outcome {
  return { seq, kind: "in_doubt", message };
}

function rejected(seq: number, { code, message, field }: DestinationError): Outcome {
  return { seq, kind: "rejected", code, message, field };
}

function acceptedDetail(outcome: Outcome, hashes: ReadonlyMap<number, string>): Partial<OutcomeRow> {
  if (outcome.kind !== "accepted") return {};
  return { recordHash: hashes.get(outcome.seq), destinationId: outcome.destinationId };
}

function toRejection(outcome: Outcome, rowKeys: ReadonlyMap<number, string>): readonly Rejection[] {
  if (outcome.kind !== "rejected") return [];
  const { seq, kind, code, message, field } = outcome;
  return [{ seq, kind, code, message, field, rowKey: rowKeys.get(seq) ?? "" }];
}

function toOutcomeRow(from: Outcome | Rejection): OutcomeRow {
  const { seq, kind } = from;
  if (kind === "rejected" || kind === "invalid")
    return { seq, kind, code: from.code, message: from.message.slice(0, 500) };
  return { seq, kind };
}

/** Stops a run that the destination mostly refuses: something is wrong with the sync, not with single rows. */
function checkRejections({ journal, spec }: Delivery): void {
  const { accepted, alreadyThere, rejected, inDoubt: unanswered } = journal.tally;
  const answered = accepted - alreadyThere + rejected + unanswered;
  const enoughToTell = 500;
  if (answered < enoughToTell || !exceeds(rejected, answered, spec.gate.rejected)) return;
  throw new SluiceError(
    "too_many_rejections",
    `The destination rejected ${rejected} of the first ${answered} changes; the gate allows ${describeBound(spec.gate.rejected)}.`,
    { hint: 'Look at "sluice rejections" for the reasons. The changes that were not sent stay planned.' },
  );
}
