/** ChartMogul's limit: so many requests in a second. */
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

  /** False when the request is one too many. */
  enter(): boolean {
    const now = this.#now();
    this.#times = this.#times.filter((at) => at > now - this.#spanMs);
    if (this.#times.length >= this.#most) return false;
    this.#times.push(now);
    return true;
  }

  clear(): void {
    this.#times = [];
  }
}
