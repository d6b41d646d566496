/** What Salesforce's answer to a collection says of each change. It names ids alone, so they are held against known ones. */
import { z } from "zod";
import { type Change, DestinationError, type Outcome } from "../../src/destination.ts";

const rowError = z.object({
  statusCode: z.string().default("REJECTED"),
  message: z.string().default(""),
  fields: z.array(z.string()).nullish(),
});

export const resultsSchema = z.array(
  z.object({
    id: z.string().min(1).nullish(),
    success: z.boolean(),
    errors: z.array(rowError).default([]),
  }),
);

export type Result = z.infer<typeof resultsSchema>[number];

/** An id as it is compared: with 15 or 18 characters it is the same. */
export function shortId(id: string): string {
  return id.slice(0, 15);
}

/** The ids of records that were written and cannot be told to be those that were known at their places. */
export function strangers(sent: readonly Change[], results: readonly Result[], known: Owners): readonly string[] {
  return results.flatMap(({ id, success }, at) => {
    if (!success || !id) return [];
    const change = sent[at];
    return change && known.get(shortId(id)) === change.seq ? [] : [id];
  });
}

/** Which change a record is of: its short id → seq. */
export type Owners = ReadonlyMap<string, number>;

/**
 * One outcome for each change: accepted where its record's id is in the answer. An error names no record; it is of the
 * change at its place only while every id in the answer stands at its own, or of the only change that is left.
 */
export function outcomesOf(sent: readonly Change[], results: readonly Result[], owners: Owners): readonly Outcome[] {
  const ids = new Map<number, string>();
  for (const { id, success } of results) {
    const seq = success && id ? owners.get(shortId(id)) : undefined;
    if (seq !== undefined && id) ids.set(seq, id);
  }
  const whole = results.length === sent.length;
  const inOrder =
    whole && results.every(({ id, success }, at) => !success || (!!id && owners.get(shortId(id)) === sent[at]?.seq));
  const failed = results.filter(({ success }) => !success);
  const left = sent.filter(({ seq }) => !ids.has(seq));
  return sent.map(({ seq }, at): Outcome => {
    const id = ids.get(seq);
    if (id !== undefined) return { seq, kind: "accepted", destinationId: id };
    const error = inOrder ? results[at] : whole && left.length === 1 && failed.length === 1 ? failed[0] : undefined;
    return error && !error.success ? ofError(seq, error) : { seq, kind: "in_doubt", message: unmentioned };
  });
}

const unmentioned = "Salesforce's answer cannot be told to be about this record.";

/** Codes of rows that were not written now and may be later. */
const passing =
  /^(UNABLE_TO_LOCK_ROW|QUERY_TIMEOUT|SERVER_UNAVAILABLE|REQUEST_LIMIT_EXCEEDED|ALL_OR_NONE_OPERATION_ROLLED_BACK)$/;

/** A lock hides in other errors too, such as of a trigger that met it. */
export function isPassing({ success, errors }: Result): boolean {
  return (
    !success && errors.some(({ statusCode, message }) => passing.test(statusCode) || /UNABLE_TO_LOCK_ROW/.test(message))
  );
}

export function ofError(seq: number, result: Result): Outcome {
  const [error] = result.errors;
  const message = error?.message || "Salesforce refused this record without a reason.";
  if (isPassing(result)) return { seq, kind: "in_doubt", message: `${error?.statusCode ?? "LOCKED"}: ${message}` };
  return { seq, kind: "rejected", code: error?.statusCode ?? "REJECTED", message, field: error?.fields?.[0] };
}

/** Throws `busy` when no record was written and all may be later: the batch as it is may be sent again. */
export function refuseIfAllLocked(results: readonly Result[], count: number): void {
  if (results.length !== count || count === 0 || !results.every(isPassing)) return;
  const [error] = results[0]?.errors ?? [];
  throw new DestinationError("busy", `Salesforce wrote no record: ${error?.message ?? "they are locked"}`, {
    code: error?.statusCode ?? "UNABLE_TO_LOCK_ROW",
    applied: "no",
  });
}
