/**
 * The pace towards a vendor that publishes no limit: faster as long as it takes everything, slower when it asks to wait.
 * At first the pace doubles every second; once the limit was met, it grows by a little and falls by much, so that it stays
 * near the limit and seldom above.
 */
import { DestinationError } from "../destination.ts";
import type { Clock } from "../sync/ports.ts";
import { patienceMs, type Rest, restAfter, type Turns, usedUp } from "./pace.ts";

/** Requests a second. */
const first = 50;
const most = 10_000;
const least = 0.2;

/** What remains of the pace when the vendor asks to wait. */
const fall = 0.8;
/** So much of itself the pace gains in a second. */
const gain = 0.02;
/** Of requests that went out together, all are refused: the pace falls once for them. */
const fallsApartMs = 1000;

export class Feeler implements Turns {
  readonly #clock: Clock;
  #rate = first;
  #isMet = false;
  /** Requests that may go out at once. */
  #saved = first;
  #at: number;
  #fellAt = Number.NEGATIVE_INFINITY;
  #restsUntil = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.now().getTime();
  }

  /** Requests a second, as far as is known by now. */
  get rate(): number {
    return this.#rate;
  }

  async enter(signal: AbortSignal | undefined): Promise<void> {
    const entered = this.#turn.then(() => this.#wait(signal));
    this.#turn = entered.catch(() => undefined);
    await entered;
  }

  async heard(rests: readonly Rest[]): Promise<void> {
    for (const rest of rests) if (rest.requests <= 0) this.#rest(rest);
  }

  async failed(error: unknown): Promise<void> {
    if (!(error instanceof DestinationError) || error.kind !== "busy") return;
    const rest = restAfter(error);
    if (rest) this.#rest(rest);
    const now = this.#clock.now().getTime();
    if (now - this.#fellAt < fallsApartMs) return;
    this.#fellAt = now;
    this.#isMet = true;
    this.#rate = Math.max(least, this.#rate * fall);
    this.#saved = 0;
  }

  #rest({ forMs }: Rest): void {
    this.#restsUntil = Math.max(this.#restsUntil, this.#clock.now().getTime() + forMs);
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      this.#pass();
      const restMs = this.#restsUntil - this.#at;
      if (restMs > patienceMs) throw usedUp(restMs);
      if (restMs <= 0 && this.#saved >= 1) {
        this.#saved -= 1;
        return;
      }
      const savingMs = ((1 - this.#saved) / this.#rate) * 1000;
      await this.#clock.sleep(Math.max(1, Math.ceil(Math.max(restMs, savingMs))), signal);
    }
  }

  /** Lets the time pass since it was looked at last; of a long silence nothing is learned. */
  #pass(): void {
    const now = this.#clock.now().getTime();
    const seconds = Math.min(1, Math.max(0, (now - this.#at) / 1000));
    this.#at = now;
    const grown = this.#isMet ? this.#rate * (1 + gain * seconds) : this.#rate * 2 ** seconds;
    this.#rate = Math.min(most, grown);
    const atOnce = this.#isMet ? Math.max(1, this.#rate / 10) : this.#rate;
    this.#saved = Math.min(atOnce, this.#saved + this.#rate * seconds);
  }
}
