/** Outcomes of one change, in words for people. Pure. */
import type { Change, Outcome } from "../../src/destination.ts";
import type { Reason } from "./errors.ts";

/** Done, on the record of this id where it may be followed by it. */
export function accepted({ seq }: Change, destinationId?: string): Outcome {
  return { seq, kind: "accepted", ...(destinationId === undefined ? {} : { destinationId }) };
}

/** Refused for this reason, by Intercom or beforehand. */
export function rejected({ seq }: Change, { code, message, field }: Reason): Outcome {
  return { seq, kind: "rejected", code, message, field };
}

/** Intercom answered with success, but does not show what it was asked for. */
export function inDoubt({ seq }: Change, what: string): Outcome {
  return { seq, kind: "in_doubt", message: `Intercom's answer does not show ${what}.` };
}

/** Intercom answered with success, and shows a field with another value: sent again, it would be the same. */
export function unkept({ seq }: Change, field: string): Outcome {
  const message = `Intercom answered with success, but has another value in "${field}". The other fields were written.`;
  return { seq, kind: "rejected", code: "not_kept", message, field };
}
