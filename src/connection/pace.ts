/** Keeps within the vendor's published limits, so that its 429 is never seen: all runs of all processes together. */
import { type Context, DestinationError, type Quota, type RateLimit } from "../destination.ts";
import { messageOf, SluiceError } from "../errors.ts";
import type { Clock } from "../sync/ports.ts";
import { orStopped } from "./or-stopped.ts";

/** At most `requests` in any span of `spanMs`; times are kept to within `bucketMs`. */
export interface PaceWindow {
  readonly name: string;
  readonly requests: number;
  readonly spanMs: number;
  readonly bucketMs: number;
}

/** Counts the requests under one credential, for every process that has it. */
export interface PaceLedger {
  /** Counts one request in all windows and gives 0; or counts none and gives how long until one may fit, in ms. */
  enter(credential: string, windows: readonly PaceWindow[]): Promise<number>;
  /** Notes what is left, as the vendor said it last. */
  heard(credential: string, rests: readonly Rest[]): Promise<void>;
}

/** No more than so many requests go out in the next `forMs`, whatever the windows say. */
export interface Rest {
  readonly name: string;
  readonly requests: number;
  readonly forMs: number;
}

/** A wait that is longer ends the run, which goes on when it is over. */
export const patienceMs = 15 * 60_000;

/** How long a ledger that cannot be asked is asked again. */
const ledgerPatienceMs = 60_000;

/** So often a turn that came too late is taken anew; a ledger that is always slow is not to stop everything. */
const mostStale = 3;

/** The vendor sees a request later than it was counted, by a time that varies: a span is counted so much longer. */
function slackOf(spanMs: number): number {
  return Math.min(250, spanMs / 10);
}

/** The windows of limits of which only a share may be used. */
export function windowsOf(limits: readonly RateLimit[], share: number): readonly PaceWindow[] {
  return limits.map(({ name, requests, perMs }) => {
    return {
      name,
      requests: Math.max(1, Math.floor(requests * share)),
      spanMs: Math.ceil(perMs + slackOf(perMs)),
      bucketMs: Math.max(1, Math.floor(perMs / 1000)),
    };
  });
}

/** What a vendor said a day ago may be otherwise by now: one request finds out. */
const longestRestMs = 86_400_000;

/** What is left of quotas of which only a share may be used: the rest is for the other programs of the account. */
export function restsOf(quotas: readonly Quota[], share: number): readonly Rest[] {
  return quotas.map(({ name, limit, remaining, resetsInMs }) => ({
    name,
    requests: Math.floor(remaining - limit * (1 - share)),
    forMs: Math.min(resetsInMs, longestRestMs),
  }));
}

/** A vendor that asks for more is looked at again after an hour: it may have meant one kind of request. */
const longestWaitMs = 3_600_000;

/** That a vendor asked to wait. Locks of single records are none of the others' matter. */
export function restAfter(error: unknown): Rest | undefined {
  if (!(error instanceof DestinationError) || error.kind !== "busy" || error.retryAfterMs === undefined)
    return undefined;
  if (error.status === 423 || error.status === 425) return undefined;
  return { name: "asked to wait", requests: 0, forMs: Math.min(error.retryAfterMs, longestWaitMs) };
}

/** How long so many requests take within all windows: what fits one goes out at once. */
export function secondsAt(windows: readonly PaceWindow[], requests: number): number {
  const seconds = windows.map(
    (window) => (Math.max(0, Math.ceil(requests / window.requests) - 1) * window.spanMs) / 1000,
  );
  return Math.max(0, ...seconds);
}

/** Who lets requests out one by one. */
export interface Turns {
  /** Resolves when a request may go out. */
  enter(signal: AbortSignal | undefined): Promise<void>;
  /** An answer told what is left. */
  heard(rests: readonly Rest[]): Promise<void>;
  /** A request that was let out has failed. */
  failed(error: unknown): Promise<void>;
}

/** With more left than this, the processes that share a credential need not tell each other. */
const littleLeft = 200;

/** The turns of one credential in this process: first come, first served, over all of its runs. */
export class Pacer implements Turns {
  readonly #ledger: PaceLedger;
  readonly #credential: string;
  readonly #windows: readonly PaceWindow[];
  readonly #clock: Clock;
  readonly #slackMs: number;
  /** Of what the others were told that little is left. */
  readonly #scarce = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(ledger: PaceLedger, credential: string, windows: readonly PaceWindow[], clock: Clock) {
    this.#ledger = ledger;
    this.#credential = credential;
    this.#windows = windows;
    this.#clock = clock;
    this.#slackMs = Math.min(...windows.map(({ spanMs }) => slackOf(spanMs)));
  }

  /** Resolves when a request may go out, which is counted then. */
  async enter(signal: AbortSignal | undefined): Promise<void> {
    const entered = this.#turn.then(() => this.#waitAndEnter(signal));
    this.#turn = entered.catch(() => undefined);
    await orStopped(entered, signal);
  }

  async heard(rests: readonly Rest[]): Promise<void> {
    const news = rests.filter(({ name, requests }) => requests <= littleLeft || this.#scarce.has(name));
    if (news.length === 0) return;
    for (const { name, requests } of news) {
      if (requests <= littleLeft) this.#scarce.add(name);
      else this.#scarce.delete(name);
    }
    // The answer was about records, and stands whether or not this could be noted.
    await this.#ledger.heard(this.#credential, news).catch(() => undefined);
  }

  async failed(error: unknown): Promise<void> {
    const rest = restAfter(error);
    if (rest) await this.#ledger.heard(this.#credential, [rest]).catch(() => undefined);
  }

  async #waitAndEnter(signal: AbortSignal | undefined): Promise<void> {
    for (let stale = 0; ;) {
      signal?.throwIfAborted();
      const { waitMs, tookMs } = await this.#ask(signal);
      if (waitMs <= 0) {
        // A process that stood still would send later than it was counted, among others that are counted then.
        if (tookMs < this.#slackMs || stale === mostStale) return;
        stale += 1;
        continue;
      }
      if (waitMs > patienceMs) throw usedUp(waitMs, this.#windows);
      await this.#clock.sleep(waitMs, signal);
    }
  }

  /** Nothing goes out uncounted: a ledger that does not answer is asked again for a while. */
  async #ask(signal: AbortSignal | undefined): Promise<{ readonly waitMs: number; readonly tookMs: number }> {
    for (let waitedMs = 0; ; waitedMs += 1000) {
      const askedAt = this.#clock.now().getTime();
      try {
        const waitMs = await this.#ledger.enter(this.#credential, this.#windows);
        return { waitMs, tookMs: this.#clock.now().getTime() - askedAt };
      } catch (cause) {
        if (waitedMs < ledgerPatienceMs) {
          await this.#clock.sleep(1000, signal);
          continue;
        }
        const message = `The control store, which counts requests, does not answer: ${messageOf(cause)}.`;
        throw new SluiceError("pace_unreachable", message, { cause });
      }
    }
  }
}

/** The same fetch, but a request waits for its turn, and what its answer says of the limits is kept to by all. */
export function pace(
  fetch: Context["fetch"],
  turns: Turns,
  restsIn: (headers: Headers) => readonly Rest[] = () => [],
): Context["fetch"] {
  return (url, init) =>
    inTurn(turns, init?.signal ?? undefined, async () => {
      const answer = await fetch(url, init);
      await turns.heard(restsIn(answer.headers));
      return answer;
    });
}

/** Does the work when it is its turn. */
export async function inTurn<Result>(
  turns: Turns,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  await turns.enter(signal);
  try {
    return await work();
  } catch (error) {
    await turns.failed(error);
    throw error;
  }
}

export function usedUp(waitMs: number, windows: readonly PaceWindow[] = []): DestinationError {
  const longest = windows.toSorted((one, other) => other.spanMs - one.spanMs)[0];
  const message =
    longest === undefined || waitMs > longest.spanMs + longest.bucketMs
      ? "The destination said that what the account may ask for is used up, by whatever program."
      : `The limit "${longest.name}" of ${longest.requests} requests is used up.`;
  return new DestinationError("busy", message, { code: "limit_used_up", applied: "no", retryAfterMs: waitMs });
}
