/** Tells of every request that goes out: where it went and how it ended. */
import { type Context, DestinationError } from "../destination.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../sync/ports.ts";

export interface Exchange {
  readonly method: string;
  readonly path: string;
  /** Null when no answer came, and for another protocol than HTTP. */
  readonly status: number | null;
  readonly ms: number;
  /** What it carried. */
  readonly body: RequestInit["body"];
  /** The answer, for whoever makes a copy of it at once; null when none came. */
  readonly answer: Response | null;
  /** Why none came, or why it is a failure by itself. */
  readonly failure: string | null;
}

/** The same fetch, but each request is told once it has ended, well or not. */
export function traceFetch(
  fetch: Context["fetch"],
  clock: Clock,
  onExchange: (exchange: Exchange) => void,
): Context["fetch"] {
  return async (url, init) => {
    const from = clock.now().getTime();
    const tell = (ended: Pick<Exchange, "status" | "answer" | "failure">): void =>
      onExchange({
        method: init?.method ?? "GET",
        path: new URL(url).pathname,
        ms: clock.now().getTime() - from,
        body: init?.body,
        ...ended,
      });
    try {
      const response = await fetch(url, init);
      tell({ status: response.status, answer: response, failure: null });
      return response;
    } catch (error) {
      const status = error instanceof DestinationError ? (error.status ?? null) : null;
      tell({ status, answer: null, failure: messageOf(error) });
      throw error;
    }
  };
}
