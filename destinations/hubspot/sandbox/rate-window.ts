/** HubSpot's rolling window: so many requests in any ten seconds. */
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

  headers(): Readonly<Record<string, string>> {
    return {
      "x-hubspot-ratelimit-max": String(this.#most),
      "x-hubspot-ratelimit-remaining": String(this.#most - this.#times.length),
      "x-hubspot-ratelimit-interval-milliseconds": String(this.#spanMs),
    };
  }

  clear(): void {
    this.#times = [];
  }
}
