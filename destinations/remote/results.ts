/** What became of each change, as a remote adapter's results tell it. Pure. */
import type { z } from "zod";
import type { Outcome } from "../../src/destination.ts";
import { type Asked, parseAnswer } from "./errors.ts";
import { faultsOf, namedSchema, resultSchema, resultsSchema } from "./protocol.ts";

/** The results of an answer, each by the seq that it names. */
export interface Results {
  readonly bySeq: ReadonlyMap<number, readonly unknown[]>;
  /** How many name no seq at all. */
  readonly nameless: number;
}

/** Throws when the answer has no list of results. */
export function resultsOf(body: unknown, what: string, asked: Asked): Results {
  const { results } = parseAnswer(resultsSchema, body, what, asked);
  const bySeq = Map.groupBy(results, (result) => namedSchema.safeParse(result).data?.seq);
  const nameless = bySeq.get(undefined)?.length ?? 0;
  const named = [...bySeq].flatMap(([seq, all]) => (seq === undefined ? [] : [[seq, all] as const]));
  return { bySeq: new Map(named), nameless };
}

/** One outcome for each of the changes: what is missing, told twice, or in a wrong form is in doubt. */
export function outcomesOf(seqs: readonly number[], { bySeq, nameless }: Results): readonly Outcome[] {
  const known = new Set(seqs);
  const strangers = [...bySeq.keys()].filter((seq) => !known.has(seq));
  const beside = [
    ...(strangers.length > 0 ? [`${strangers.length} for changes it was not sent, such as seq ${strangers[0]}`] : []),
    ...(nameless > 0 ? [`${nameless} without a seq`] : []),
  ];
  const missing = `The adapter gave no result for this change${beside.length > 0 ? `, but ${beside.join(" and ")}` : ""}.`;
  return seqs.map((seq): Outcome => {
    const [result, another] = bySeq.get(seq) ?? [];
    if (result === undefined) return inDoubt(seq, missing);
    if (another !== undefined) return inDoubt(seq, "The adapter gave more than one result for this change.");
    const parsed = resultSchema.safeParse(result);
    if (!parsed.success)
      return inDoubt(seq, `The adapter's result is not what the protocol says. ${faultsOf(parsed.error)}`);
    return toOutcome(parsed.data);
  });
}

function toOutcome(result: z.output<typeof resultSchema>): Outcome {
  const { seq } = result;
  switch (result.outcome) {
    case "accepted":
      return { seq, kind: "accepted", destinationId: result.id };
    case "rejected": {
      const { code, message, field } = result;
      return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
    }
    case "in_doubt":
      return inDoubt(seq, result.message);
  }
}

export function inDoubt(seq: number, message: string): Outcome {
  return { seq, kind: "in_doubt", message };
}
