/** Sends parts of a run that is another worker's: what this one cannot do, that one does. */
import type { Column } from "../warehouse.ts";
import { Journal } from "./journal.ts";
import { keepLease } from "./lease.ts";
import { FencedError, type Part, type PartStore, type SentCounts } from "./ports.ts";
import { prepareJoined } from "./prepare.ts";
import { type RunToSend, type Sending, sendStretch } from "./send.ts";
import { plus } from "./sent.ts";
import type { World } from "./world.ts";

/** A run that another worker has divided. */
export interface JoinedRun extends RunToSend {
  /** What the cells of the plan's rows are, as that worker saw the model. */
  readonly columns: readonly Column[];
}

/**
 * Sends one part after another until none waits, or the run is stopped. Rejects with what kept it from going on; the part is
 * given back then. Throws FencedError when the run is over or was taken over.
 */
export async function joinRun(run: JoinedRun, world: World, store: PartStore, outer: AbortSignal): Promise<void> {
  const prepared = await prepareJoined(run, world, outer);
  const sending = { run, columns: run.columns, ...prepared, world };
  for (;;) {
    outer.throwIfAborted();
    const askedAt = world.clock.now().getTime();
    const part = await store.take(run, "joined");
    if (part === null) return;
    world.term.renewed(askedAt, part.forMs);
    await sendPart(part, sending, store, outer);
  }
}

async function sendPart(
  part: Part,
  sending: Omit<Sending, "journal" | "onProgress">,
  store: PartStore,
  outer: AbortSignal,
): Promise<void> {
  const { world, run } = sending;
  const journal = new Journal((entry) => store.append(part, entry));
  const requestsBefore = world.requests();
  const sent = (): SentCounts => plus(part.before, { ...journal.tally, requests: world.requests() - requestsBefore });
  const lease = keepLease(run.id, () => store.renew(part, sent()), world, outer);
  try {
    await sendStretch({ ...sending, journal, onProgress: () => undefined }, part, lease.signal);
    await store.end(part, sent());
  } catch (error) {
    if (error instanceof FencedError) throw error;
    await store.giveBack(part, sent());
    throw error;
  } finally {
    await lease.stop();
  }
}
