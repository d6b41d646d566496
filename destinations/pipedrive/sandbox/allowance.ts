/** What a company may ask: so many requests and searches in two seconds, and so many tokens in a day. */
import { RateWindow } from "../../../src/rate-window.ts";
import type { SandboxRequest, SandboxResponse } from "../../../src/sandbox.ts";
import { refusal } from "./answers.ts";

const windowMs = 2000;
const dayMs = 86_400_000;

export class Allowance {
  readonly #all: RateWindow;
  readonly #searches: RateWindow;
  readonly #daily: number;
  readonly #now: () => number;
  #day = 0;
  #left: number;

  constructor(daily: number, now: () => number) {
    this.#all = new RateWindow(20, windowMs, now);
    this.#searches = new RateWindow(10, windowMs, now);
    this.#daily = daily;
    this.#left = daily;
    this.#now = now;
  }

  /** The refusal, if the request is too much; it costs nothing then. */
  spend(request: SandboxRequest): SandboxResponse | undefined {
    const today = Math.floor(this.#now() / dayMs);
    if (today !== this.#day) [this.#day, this.#left] = [today, this.#daily];
    const cost = costOf(request);
    if (cost > this.#left) {
      this.#left = 0;
      return tooMuch;
    }
    const isWithin = this.#all.enter() && (!request.path.endsWith("/search") || this.#searches.enter());
    if (!isWithin) return tooMuch;
    this.#left -= cost;
    return undefined;
  }

  headers(): Readonly<Record<string, string>> {
    return {
      "x-ratelimit-limit": "20",
      "x-ratelimit-remaining": String(this.#all.remaining),
      "x-ratelimit-reset": "2",
      "x-daily-ratelimit-token-limit": String(this.#daily),
      "x-daily-ratelimit-token-remaining": String(this.#left),
    };
  }

  clear(): void {
    this.#all.clear();
    this.#searches.clear();
    this.#left = this.#daily;
  }
}

const tooMuch = refusal(429, "request over limit", "ERR_RATE_LIMIT");

/** In Pipedrive's tokens. */
function costOf({ method, path }: SandboxRequest): number {
  if (path.startsWith("/api/v1/")) return 2;
  if (path.endsWith("/search")) return 20;
  if (method === "DELETE") return 3;
  if (method !== "GET") return 5;
  return /\/\d+$/.test(path) ? 1 : 10;
}
