/** Outcomes of one change, in words for people. Pure. */
import type { Change, Outcome } from "../../src/destination.ts";
import type { Reason } from "./errors.ts";

/** Done, on the record of this id where it may be followed by it. */
export function accepted({ seq }: Change, id?: number): Outcome {
  return { seq, kind: "accepted", ...(id === undefined ? {} : { destinationId: String(id) }) };
}

/** Refused for this reason, by Pipedrive or beforehand. */
export function rejected({ seq }: Change, { code, message, field }: Reason): Outcome {
  return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
}

/** Pipedrive answered with success, but does not show what it was asked for. */
export function inDoubt({ seq }: Change, what: string): Outcome {
  return { seq, kind: "in_doubt", message: `Pipedrive's answer does not show ${what}.` };
}
