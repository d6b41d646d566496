/** Tries again what may be tried again: full jitter, the vendor's own wait honoured. */
import { type Batch, type Connection, DestinationError } from "../destination.ts";
import type { Clock, Random } from "../sync/ports.ts";
import { StillDown } from "./breaker.ts";

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Tries in all, the first included. */
  readonly attempts?: number;
  readonly firstMs?: number;
  readonly maxMs?: number;
  /** A longer wait than this is not waited for here. */
  readonly patienceMs?: number;
}

/**
 * The same connection, but `busy` and `unavailable` are tried again. A batch that may have been applied is only repeated
 * where that leaves the same records. `unauthorized` and `refused` pass through at once.
 */
export function retry(connection: Connection, options: RetryOptions): Connection {
  // Kept apart, or whoever asks could not tell what there is.
  const read = connection.read?.bind(connection);
  const resume = connection.resume?.bind(connection);
  return {
    check: (signal) => attempt(() => connection.check(signal), always, options, signal),
    objects: (signal) => attempt(() => connection.objects(signal), always, options, signal),
    describe: (object, settings, signal) =>
      attempt(() => connection.describe(object, settings, signal), always, options, signal),
    write: (batch, signal) => attempt(() => connection.write(batch, signal), isRepeatable(batch), options, signal),
    ...(resume ? { resume: (handle, signal) => attempt(() => resume(handle, signal), always, options, signal) } : {}),
    ...(read
      ? {
          read: (batch, fields, signal) => attempt(() => read(batch, fields, signal), always, options, signal),
        }
      : {}),
    ignoresCase: (object, settings, field) => connection.ignoresCase?.(object, settings, field) ?? false,
    ...(connection.close ? { close: () => connection.close?.() ?? Promise.resolve() } : {}),
  };
}

type Repeatable = (error: DestinationError) => boolean;

const always: Repeatable = () => true;

/** An insert or an event that may have arrived would arrive twice. */
function isRepeatable({ operation }: Batch): Repeatable {
  return operation === "insert" || operation === "append" ? ({ applied }) => applied === "no" : always;
}

async function attempt<Result>(
  act: () => Promise<Result>,
  repeatable: Repeatable,
  options: RetryOptions,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const { attempts = 6, clock, patienceMs = 15 * 60_000 } = options;
  let applied: "no" | "unknown" = "no";
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof DestinationError)) throw error;
      // One try that may have been applied makes the whole uncertain, whatever the later ones say.
      if (error.applied === "unknown") applied = "unknown";
      const waitMs = wait(error, tries, options);
      const passes = error.kind === "busy" || (error.kind === "unavailable" && !(error instanceof StillDown));
      const again = passes && repeatable(error);
      if (!again || tries >= attempts || waitMs > patienceMs) throw withApplied(error, applied);
      await clock.sleep(waitMs, signal);
    }
  }
}

function wait(error: DestinationError, tries: number, { random, firstMs = 500, maxMs = 30_000 }: RetryOptions): number {
  const jittered = random() * Math.min(maxMs, firstMs * 2 ** (tries - 1));
  // Asked to wait so long: not a moment less, and not all workers at the same moment.
  return error.retryAfterMs === undefined ? jittered : error.retryAfterMs + jittered / 4;
}

function withApplied(error: DestinationError, applied: "no" | "unknown"): DestinationError {
  if (error.applied === applied || error.kind === "refused") return error;
  const { kind, message, code, status, retryAfterMs, field, cause } = error;
  return new DestinationError(kind, message, { code, applied, status, retryAfterMs, field, cause });
}
