/** Requests in other protocols than HTTP: in turn, bounded in time, told of when they have ended, without secrets. */
import { type Context, DestinationError } from "../destination.ts";
import { messageOf } from "../errors.ts";
import { legible } from "../fetch.ts";
import type { Clock } from "../sync/ports.ts";
import { inTurn, type Turns } from "./pace.ts";
import type { Exchange } from "./trace.ts";

export interface RequestSurroundings {
  readonly turns: Turns;
  readonly clock: Clock;
  /** Texts that must never appear in a message. */
  readonly secrets: readonly string[];
  /** Throws when a request must not go out any more. */
  readonly mayGo?: (() => void) | undefined;
  readonly onExchange: (exchange: Exchange) => void;
  readonly timeoutMs?: number;
}

export function openRequest(surroundings: RequestSurroundings): Context["request"] {
  const { turns, clock, secrets, mayGo, onExchange, timeoutMs = 30_000 } = surroundings;
  return (told, work, stop) =>
    inTurn(turns, stop, async () => {
      stop?.throwIfAborted();
      mayGo?.();
      const from = clock.now().getTime();
      const tell = (failure: string | null): void =>
        onExchange({ ...told, status: null, ms: clock.now().getTime() - from, body: null, answer: null, failure });
      const deadline = AbortSignal.timeout(timeoutMs);
      try {
        const answer = await work(stop ? AbortSignal.any([stop, deadline]) : deadline);
        tell(null);
        return answer;
      } catch (thrown) {
        const error = thrown instanceof DestinationError ? masked(thrown, secrets) : thrown;
        tell(messageOf(error));
        stop?.throwIfAborted();
        throw error;
      }
    });
}

/** A server that refuses may repeat what it was sent. */
function masked(error: DestinationError, secrets: readonly string[]): DestinationError {
  const { kind, code, applied, status, retryAfterMs, field } = error;
  const message = legible(error.message, secrets);
  return new DestinationError(kind, message, { code, applied, status, retryAfterMs, field });
}
