/** Keeps a worker's lease alive, and learns through it of a cancellation or of another worker. */
import { type Clock, FencedError } from "./ports.ts";

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
  #until: number;

  /** Made before the lease is asked for. */
  constructor(clock: Pick<Clock, "now">, ms: number) {
    this.#clock = clock;
    this.ms = ms;
    this.#until = clock.now().getTime() + ms;
  }

  /** The lease was renewed by what was asked then, for so long from then on. */
  renewed(askedAt: number, forMs: number = this.ms): void {
    this.#until = askedAt + Math.min(forMs, this.ms);
  }

  get isOver(): boolean {
    return this.#clock.now().getTime() >= this.#until;
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

/** Asks for more time. Throws FencedError when the lease was lost. */
export type Renew = () => Promise<{ readonly stopped: boolean; readonly forMs?: number }>;

interface Keeping {
  readonly clock: Clock;
  readonly term: LeaseTerm;
}

/** Renews the lease until it is stopped. When the store cannot be reached for a whole lease, the run counts as fenced. */
export function keepLease(runId: string, renew: Renew, world: Keeping, outer: AbortSignal): Lease {
  const stopping = new AbortController();
  const done = new AbortController();
  const follow = (): void => stopping.abort(outer.reason);
  if (outer.aborted) follow();
  else outer.addEventListener("abort", follow, { once: true });
  const renewing = renewUntil(done.signal, { ...world, runId, renew, stopping });
  return {
    signal: stopping.signal,
    stop: async () => {
      outer.removeEventListener("abort", follow);
      done.abort();
      await renewing;
    },
  };
}

interface Renewing extends Keeping {
  readonly runId: string;
  readonly renew: Renew;
  readonly stopping: AbortController;
}

async function renewUntil(done: AbortSignal, { runId, renew, clock, term, stopping }: Renewing): Promise<void> {
  while (!done.aborted) {
    try {
      await clock.sleep(Math.min(term.ms / 3, renewEveryMs), done);
      const askedAt = clock.now().getTime();
      const { stopped, forMs } = await renew();
      term.renewed(askedAt, forMs);
      if (stopped) stopping.abort(new RunStopped("cancelled"));
    } catch (error) {
      if (done.aborted) return;
      if (error instanceof FencedError || term.isOver) return stopping.abort(new FencedError(runId));
    }
  }
}
