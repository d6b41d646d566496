/** Keeps within the vendor's published limits, so that its 429 is never seen. */
import type { Context, RateLimit } from "../destination.ts";
import type { Clock } from "../sync/ports.ts";

export interface PaceOptions {
  /** The part of each limit that may be used, above 0 and up to 1. */
  readonly share: number;
  readonly clock: Clock;
}

/** The same fetch, but a request waits, first come first served, until no window of any limit would be exceeded. */
export function pace(
  fetch: Context["fetch"],
  limits: readonly RateLimit[],
  { share, clock }: PaceOptions,
): Context["fetch"] {
  if (limits.length === 0) return fetch;
  const windows = limits.map(
    (limit) => new SlidingWindow({ ...limit, requests: Math.max(1, Math.floor(limit.requests * share)) }),
  );
  let turn: Promise<unknown> = Promise.resolve();
  const enter = async (signal: AbortSignal | undefined): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      const now = clock.now().getTime();
      const waitMs = Math.max(...windows.map((window) => window.wait(now)));
      if (waitMs <= 0) return windows.forEach((window) => window.enter(now));
      await clock.sleep(waitMs, signal);
    }
  };
  return async (url, init) => {
    const signal = init?.signal ?? undefined;
    const entered = turn.then(() => enter(signal));
    turn = entered.catch(() => undefined);
    await orStopped(entered, signal);
    return fetch(url, init);
  };
}

/** Who is told to stop does not wait for those ahead, which may take a day. */
async function orStopped(entered: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return entered;
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await Promise.race([entered, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * At most so many requests in any span of the window's length. The vendor sees a request later than it was sent, by a
 * time that varies, so a span is counted a little longer than it is.
 */
class SlidingWindow {
  /** When the last requests went out, as many as the window takes; grows only as far as they come. */
  readonly #times: number[] = [];
  readonly #requests: number;
  readonly #spanMs: number;
  #oldest = 0;

  constructor({ requests, perMs }: RateLimit) {
    this.#requests = requests;
    this.#spanMs = perMs + Math.min(250, perMs / 10);
  }

  /** How long until one more request fits. */
  wait(now: number): number {
    const oldest = this.#times[this.#oldest];
    return this.#times.length < this.#requests || oldest === undefined ? 0 : oldest + this.#spanMs - now;
  }

  enter(now: number): void {
    if (this.#times.length < this.#requests) {
      this.#times.push(now);
      return;
    }
    this.#times[this.#oldest] = now;
    this.#oldest = (this.#oldest + 1) % this.#requests;
  }
}
