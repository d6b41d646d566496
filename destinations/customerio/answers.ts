/** What Customer.io's answers say. An accepted item is never mentioned: only what is refused is, by its index. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Outcome } from "../../src/destination.ts";
import { type Answer, answersOf, parseJson } from "../../src/json-api.ts";

/** Why a row is not written. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

const errorSchema = z.object({
  batch_index: z.int().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  field: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  /** The App API's words for it. */
  code: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
});

type ItemError = z.infer<typeof errorSchema>;

const refusedItems = z.object({ errors: z.array(errorSchema) });

/** The first version of the Track API says it so. */
const metaSchema = z.object({
  meta: z.object({ error: z.string().optional(), errors: z.array(z.string()).optional() }),
});

/**
 * What became of changes, from the answer to the batch of their items: `seqs` has the change of each item. A change is
 * accepted when all its items are. Throws when the batch was refused whole.
 */
export function outcomesOf(seqs: readonly number[], answer: Answer): readonly Outcome[] {
  const outcomes = new Map<number, Outcome>();
  for (const outcome of itemOutcomes(seqs, answer)) {
    const present = outcomes.get(outcome.seq);
    if (!present || graver[outcome.kind] > graver[present.kind]) outcomes.set(outcome.seq, outcome);
  }
  return [...outcomes.values()];
}

const graver: Readonly<Record<Outcome["kind"], number>> = { accepted: 0, in_doubt: 1, rejected: 2 };

/** The outcome of each item, known by its index in the request. */
function itemOutcomes(seqs: readonly number[], answer: Answer): readonly Outcome[] {
  const { status, body } = answer;
  if (status === 404) throw notThere();
  if (status >= 400) throw refusalOf(answer);
  if (status !== 200 && status !== 207) throw unknownAnswer(status);
  // "A successful request returns an empty object response." A 207 that says nothing hides at least one error.
  if (saysNothing(body)) return seqs.map((seq) => (status === 200 ? { seq, kind: "accepted" } : inDoubt(seq)));
  const told = refusedItems.safeParse(body);
  if (!told.success) throw unknownAnswer(status);
  const { errors } = told.data;
  const refused = new Map(errors.toReversed().map((error) => [error.batch_index, error]));
  // An error that names no item of ours may be of any.
  const named = errors.every(({ batch_index: index = -1 }) => index >= 0 && index < seqs.length);
  const clear = named && (status === 200 || errors.length > 0);
  return seqs.map((seq, index) => {
    const error = refused.get(index);
    if (error) return { seq, kind: "rejected", ...reasonOf(error, status) };
    return clear ? { seq, kind: "accepted" } : inDoubt(seq);
  });
}

/** Whether an answer has the form that success has: an empty object, or no body at all. */
export function isSuccess({ status, body }: Answer): boolean {
  return status === 200 && saysNothing(body);
}

function saysNothing(body: unknown): boolean {
  return body === null || (typeof body === "object" && !Array.isArray(body) && Object.keys(body).length === 0);
}

function inDoubt(seq: number): Outcome {
  return {
    seq,
    kind: "in_doubt",
    message: "Customer.io says that it refused something, but not that it was another row.",
  };
}

/** No smaller batch would be taken there. */
function notThere(): DestinationError {
  const message = "There is no Track API at this address. Look at base_url.";
  return new DestinationError("unauthorized", message, { code: "api_not_found", applied: "no", status: 404 });
}

function reasonOf({ reason, code, field, message, detail }: ItemError, status: number): Reason {
  const words = message ?? detail ?? reason ?? "Customer.io gives no reason.";
  return { code: code ?? reason ?? `http_${status}`, message: words, field };
}

/** A request that was refused whole; the service halves the batch until the culprit stands alone. */
export function refusalOf({ status, body }: Answer): DestinationError {
  const told = firstError(body);
  const { code, message, field } = told
    ? reasonOf(told, status)
    : { code: `http_${status}`, message: `Customer.io refused the request (${status}).`, field: undefined };
  return new DestinationError("refused", message, { code, applied: "no", status, field });
}

/** What Customer.io says in a failure beyond its status. The Track API tells no wait; the App API has Retry-After. */
export function customerioFailure({ status, body }: FailedResponse): FailureHint | undefined {
  const told = firstError(parseJson(body));
  return told && reasonOf(told, status);
}

/** The first error in any of the forms that Customer.io's APIs have. */
function firstError(body: unknown): ItemError | undefined {
  const [first] = refusedItems.safeParse(body).data?.errors ?? [];
  if (first) return first;
  const { error, errors = [] } = metaSchema.safeParse(body).data?.meta ?? {};
  const message = error ?? errors[0];
  return message === undefined ? undefined : { message };
}

/** What an answer holds. Throws `unavailable` when it has another form. */
export const parseAnswer = answersOf("Customer.io");

function unknownAnswer(status: number): DestinationError {
  return new DestinationError("unavailable", `Customer.io answered ${status} in a form that is not known.`, {
    code: "unknown_answer",
    applied: "unknown",
    status,
  });
}
