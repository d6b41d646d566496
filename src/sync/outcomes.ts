/** What the destination said of changes: one outcome each, and as the journal keeps it. */
import type { Outcome } from "../destination.ts";
import type { OutcomeRow } from "../warehouse.ts";
import type { KeptChange, Rejection } from "./ports.ts";

/** One outcome for each change that was asked about, whatever the adapter answered: none, or two that differ, is in doubt. */
export function accountFor(seqs: readonly number[], answer: readonly Outcome[]): readonly Outcome[] {
  const bySeq = new Map<number, Outcome>();
  for (const outcome of answer) {
    const other = bySeq.get(outcome.seq);
    const contradicts = other !== undefined && other.kind !== outcome.kind;
    bySeq.set(
      outcome.seq,
      contradicts ? inDoubt(outcome.seq, "The destination gave two different answers for this change.") : outcome,
    );
  }
  return seqs.map((seq) => bySeq.get(seq) ?? inDoubt(seq, "The destination's answer does not mention this change."));
}

export function inDoubt(seq: number, message: string): Outcome {
  return { seq, kind: "in_doubt", message };
}

/** Outcomes with what their changes were: the hash of what was accepted, the row of what was rejected. */
export function toRows(
  outcomes: readonly Outcome[],
  changes: ReadonlyMap<number, KeptChange>,
): [outcomes: readonly OutcomeRow[], rejections: readonly Rejection[]] {
  const rows = outcomes.map((outcome) =>
    outcome.kind === "accepted" ? acceptedRow(outcome, changes) : toOutcomeRow(outcome),
  );
  const refused = outcomes.filter((outcome) => outcome.kind === "rejected");
  return [rows, refused.map((outcome) => toRejection(outcome, changes))];
}

export function toOutcomeRow(from: Outcome | Rejection): OutcomeRow {
  const { seq, kind } = from;
  if (kind === "rejected" || kind === "invalid")
    return { seq, kind, code: from.code, message: from.message.slice(0, 500) };
  return { seq, kind };
}

type Of<Kind extends Outcome["kind"]> = Extract<Outcome, { kind: Kind }>;

function acceptedRow(outcome: Of<"accepted">, changes: ReadonlyMap<number, KeptChange>): OutcomeRow {
  const { seq, kind, destinationId } = outcome;
  return { seq, kind, recordHash: changes.get(seq)?.recordHash, destinationId };
}

function toRejection(outcome: Of<"rejected">, changes: ReadonlyMap<number, KeptChange>): Rejection {
  const { seq, kind, code, message, field } = outcome;
  return { seq, kind, code, message, field, rowKey: changes.get(seq)?.rowKey ?? "" };
}
