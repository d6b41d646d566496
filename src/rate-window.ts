/** A vendor's limit, as its sandbox keeps it: so many requests in any span of time. */
export class RateWindow {
  readonly #most: number;
  readonly #spanMs: number;
  readonly #now: () => number;
  #times: number[] = [];

  constructor(most: number, spanMs: number, now: () => number) {
    this.#most = most;
    this.#spanMs = spanMs;
    this.#now = now;
  }

  /** False when the request is one too many; it does not count then. */
  enter(): boolean {
    const now = this.#now();
    this.#times = this.#times.filter((at) => at > now - this.#spanMs);
    if (this.#times.length >= this.#most) return false;
    this.#times.push(now);
    return true;
  }

  /** How many more would be taken now. */
  get remaining(): number {
    return this.#most - this.#times.length;
  }

  clear(): void {
    this.#times = [];
  }
}
