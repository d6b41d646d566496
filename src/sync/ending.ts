/** How a run ends, and what a person is told of why. */
import { DestinationError } from "../destination.ts";
import { messageOf, SluiceError } from "../errors.ts";
import { InvalidMapping } from "../mapping.ts";
import { RunStopped } from "./lease.ts";
import type { RunCounts, RunEnd, RunFailure } from "./ports.ts";

/** How a run ends with these counts, for this reason if for any. */
export function endOf(counts: RunCounts, reason: unknown, now: Date): RunEnd {
  if (reason instanceof RunStopped && reason.reason === "cancelled")
    return { status: "cancelled", counts, failure: null };
  if (reason !== null && reason !== undefined) return { status: "failed", counts, failure: failureOf(reason, now) };
  const clean = counts.rejected + counts.invalid + counts.inDoubt === 0;
  return { status: clean ? "succeeded" : "partial", counts, failure: null };
}

/** What a person is told of an error that ended a run. */
export function failureOf(error: unknown, now: Date): RunFailure {
  const message = messageOf(error);
  if (error instanceof SluiceError) return { code: error.code, message, hint: error.hint };
  if (error instanceof DestinationError) {
    const told = { code: error.code, message, hint: destinationHints[error.kind] };
    return mayPass(error) ? { ...told, again_at: againAt(error, now).toISOString() } : told;
  }
  if (error instanceof InvalidMapping) return { code: "mapping_invalid", message };
  if (error instanceof RunStopped) return { code: "interrupted", message, hint: "The next run goes on." };
  return { code: "internal_error", message, hint: "This is a defect of Sluice. Please report it." };
}

/** It is the destination's own trouble, and may be over by itself. */
function mayPass({ kind }: DestinationError): boolean {
  return kind === "busy" || kind === "unavailable";
}

/** A destination that is down is asked seldom: each run has waited for two minutes already. */
const downMs = 60_000;

/** When the destination said, or in a while. */
function againAt({ retryAfterMs = downMs }: DestinationError, now: Date): Date {
  return new Date(now.getTime() + Math.max(retryAfterMs, 1000));
}

const destinationHints: Readonly<Record<DestinationError["kind"], string>> = {
  unauthorized: 'Mend the destination\'s credential, then try "sluice check".',
  busy: "The destination asks to wait. A service goes on by itself then; nothing is lost.",
  unavailable: "The destination could not be reached or failed. A service tries again by itself; nothing is lost.",
  refused: "The destination refused the request itself, not single rows.",
};
