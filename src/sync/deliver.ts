/** Sends a plan's changes in batches, several at a time, and notes one outcome for each. */
import { type Batch, type Connection, DestinationError, type ObjectDescription, type Outcome } from "../destination.ts";
import type { OutcomeRow, PlannedChange } from "../warehouse.ts";
import { type BatchedChange, Batcher, type SendableBatch, toBatch } from "./batch.ts";
import { checkRejections } from "./gate.ts";
import { InFlight } from "./in-flight.ts";
import type { Journal } from "./journal.ts";
import { accountFor, inDoubt, toOutcomeRow, toRows } from "./outcomes.ts";
import type { RowMapper } from "./map.ts";
import { whatToSend } from "./sort.ts";
import {
  type Clock,
  FencedError,
  type KeptChange,
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
  /** Batches under way at the same time, where the object does not say otherwise. */
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
  const { concurrency, object } = delivery;
  const width = { few: concurrency, many: object.batch.atOnce ?? concurrency };
  const inFlight = new InFlight(width, (reason) => stop.abort(reason));
  const batcher = new Batcher(object.batch);
  const send = async (batch: SendableBatch | null): Promise<void> => {
    if (batch === null) return;
    const { operation, changes } = batch;
    await inFlight.start(operation, changes.length, () => sendBatch(delivery, batch, either, cut.signal));
    either.throwIfAborted();
  };
  try {
    for await (const page of pages) {
      either.throwIfAborted();
      for (const batch of await sortPage(delivery, page, batcher)) await send(batch);
      checkRejections(delivery.journal.tally, delivery.spec.gate);
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
): Promise<readonly SendableBatch[]> {
  const full: SendableBatch[] = [];
  const already: OutcomeRow[] = [];
  const invalid: Rejection[] = [];
  for (const planned of page) {
    const sorted = whatToSend(delivery, planned);
    if ("invalid" in sorted) invalid.push({ kind: "invalid", rowKey: planned.rowKey, ...sorted.invalid });
    else if ("already" in sorted) already.push(sorted.already);
    else {
      const closed = batcher.add(sorted.operation, sorted.sendable);
      if (closed) full.push(closed);
    }
  }
  if (already.length > 0) await delivery.journal.noteAlreadyThere(already);
  if (invalid.length > 0) await delivery.journal.note(invalid.map(toOutcomeRow), invalid);
  return full;
}

async function sendBatch(delivery: Delivery, batch: SendableBatch, stop: AbortSignal, cut: AbortSignal): Promise<void> {
  stop.throwIfAborted();
  await delivery.journal.intend(seqsOf(batch.changes));
  const kept = new Map(batch.changes.map((change) => [change.seq, change]));
  await writeHalving(
    delivery,
    batch,
    { stop, cut },
    {
      note: async (outcomes) => {
        await delivery.journal.note(...toRows(outcomes, kept));
        delivery.onProgress();
      },
      onJob: ({ handle, seqs }) =>
        delivery.journal.keepJob({ handle, changes: seqs.flatMap((seq) => keptOf(kept.get(seq))) }),
    },
  );
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

/** What is told of a batch while it is written. */
interface Listener {
  readonly note: (outcomes: readonly Outcome[]) => Promise<void>;
  readonly onJob: NonNullable<Batch["onJob"]>;
}

/** Writes a batch; one that is refused as a whole is halved until the culprit stands alone. */
async function writeHalving(
  delivery: Delivery,
  batch: SendableBatch,
  signals: Signals,
  listener: Listener,
): Promise<void> {
  const { operation, changes } = batch;
  const { note, onJob } = listener;
  try {
    const whole = { ...toBatch(delivery.spec, delivery.run.id, operation, changes), onJob };
    const answer = await writeWhen(whole, delivery.conditional, delivery.connection, signals.cut);
    await note(accountFor(seqsOf(changes), answer));
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    if (error.kind !== "refused") {
      if (error.applied === "unknown") await note(seqsOf(changes).map((seq) => inDoubt(seq, error.message)));
      throw error;
    }
    const [only, ...others] = changes;
    if (only && others.length === 0) return note([rejected(only.seq, error)]);
    const middle = Math.ceil(changes.length / 2);
    for (const half of [changes.slice(0, middle), changes.slice(middle)]) {
      signals.stop.throwIfAborted();
      await writeHalving(delivery, { operation, changes: half }, signals, listener);
    }
  }
}

function seqsOf(changes: readonly BatchedChange[]): readonly number[] {
  return changes.map(({ seq }) => seq);
}

/** What is kept of a change has no value of its record. */
function keptOf(batched: BatchedChange | undefined): readonly KeptChange[] {
  if (batched === undefined) return [];
  const { seq, rowKey, recordHash } = batched;
  return [{ seq, rowKey, recordHash }];
}

function rejected(seq: number, { code, message, field }: DestinationError): Outcome {
  return { seq, kind: "rejected", code, message, field };
}
