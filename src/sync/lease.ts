/** Keeps a run's lease alive, and learns through it of a cancellation or of another worker. */
import { type Clock, FencedError, type RunIdentity, type RunStore } from "./ports.ts";

/** Why a run is being stopped before its end. */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
  readonly reason: "cancelled" | "shutdown";
  constructor(reason: "cancelled" | "shutdown") {
    super(reason === "cancelled" ? "the run was cancelled" : "the service is shutting down");
    this.reason = reason;
  }
}

/**
 * How long a worker may act for a sync, by its own clock. A process that stood still for longer wakes among timers that
 * are all due at once, and must not send what it was about to send.
 */
export class LeaseTerm {
  readonly ms: number;
  readonly #clock: Pick<Clock, "now">;
  #from: number;

  /** Made before the lease is asked for. */
  constructor(clock: Pick<Clock, "now">, ms: number) {
    this.#clock = clock;
    this.ms = ms;
    this.#from = clock.now().getTime();
  }

  /** The lease was renewed by what was asked then. */
  renewed(askedAt: number): void {
    this.#from = askedAt;
  }

  get isOver(): boolean {
    return this.#clock.now().getTime() - this.#from >= this.ms;
  }

  /** Throws FencedError when another worker may have the sync by now. */
  require(runId: string): void {
    if (this.isOver) throw new FencedError(runId);
  }
}

export interface Lease {
  /** Aborted when the run must stop: with RunStopped, or with FencedError when it may not write any more. */
  readonly signal: AbortSignal;
  /** Stops renewing. The lease itself ends with the run. */
  stop(): Promise<void>;
}

/** How often the lease is renewed, and a wish to cancel is heard. */
const renewEveryMs = 1000;

/** Renews the lease until it is stopped. When the store cannot be reached for a whole lease, the run counts as fenced. */
export function keepLease(
  run: RunIdentity,
  world: { store: RunStore; clock: Clock; term: LeaseTerm },
  outer: AbortSignal,
): Lease {
  const stopping = new AbortController();
  const done = new AbortController();
  const follow = (): void => stopping.abort(outer.reason);
  if (outer.aborted) follow();
  else outer.addEventListener("abort", follow, { once: true });
  const renewing = renewUntil(done.signal, run, world, stopping);
  return {
    signal: stopping.signal,
    stop: async () => {
      outer.removeEventListener("abort", follow);
      done.abort();
      await renewing;
    },
  };
}

async function renewUntil(
  done: AbortSignal,
  run: RunIdentity,
  { store, clock, term }: { store: RunStore; clock: Clock; term: LeaseTerm },
  stopping: AbortController,
): Promise<void> {
  while (!done.aborted) {
    try {
      await clock.sleep(Math.min(term.ms / 3, renewEveryMs), done);
      const askedAt = clock.now().getTime();
      const { cancelRequested } = await store.renew(run);
      term.renewed(askedAt);
      if (cancelRequested) stopping.abort(new RunStopped("cancelled"));
    } catch (error) {
      if (done.aborted) return;
      if (error instanceof FencedError || term.isOver) return stopping.abort(new FencedError(run.id));
    }
  }
}
