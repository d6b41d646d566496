/** Tells of every request that goes out, by where it went and how it ended; never of what it carried. */
import { type Context, DestinationError } from "../destination.ts";
import type { Clock } from "../sync/ports.ts";

export interface Exchange {
  readonly method: string;
  readonly path: string;
  /** Null when no answer came. */
  readonly status: number | null;
  readonly ms: number;
}

/** The same fetch, but each request is told once it has ended, well or not. */
export function traceFetch(
  fetch: Context["fetch"],
  clock: Clock,
  onExchange: (exchange: Exchange) => void,
): Context["fetch"] {
  return async (url, init) => {
    const from = clock.now().getTime();
    const tell = (status: number | null): void =>
      onExchange({
        method: init?.method ?? "GET",
        path: new URL(url).pathname,
        status,
        ms: clock.now().getTime() - from,
      });
    try {
      const response = await fetch(url, init);
      tell(response.status);
      return response;
    } catch (error) {
      tell(error instanceof DestinationError ? (error.status ?? null) : null);
      throw error;
    }
  };
}
