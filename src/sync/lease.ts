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
  world: { store: RunStore; clock: Clock; leaseMs: number },
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
  { store, clock, leaseMs }: { store: RunStore; clock: Clock; leaseMs: number },
  stopping: AbortController,
): Promise<void> {
  let renewedAt = clock.now().getTime();
  while (!done.aborted) {
    try {
      await clock.sleep(Math.min(leaseMs / 3, renewEveryMs), done);
      const askedAt = clock.now().getTime();
      const { cancelRequested } = await store.renew(run);
      renewedAt = askedAt;
      if (cancelRequested) stopping.abort(new RunStopped("cancelled"));
    } catch (error) {
      if (done.aborted) return;
      const expired = clock.now().getTime() - renewedAt > leaseMs;
      if (error instanceof FencedError || expired) return stopping.abort(new FencedError(run.id));
    }
  }
}
