/** What HubSpot's answer to a batch says of each change: by trace id, or by the record's identity; never by position. */
import { z } from "zod";
import { type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import type { Answer } from "../../src/json-api.ts";
import { errorSchema, type HubSpotError, reasonOf, refusalOf } from "./errors.ts";

/** HubSpot's ids are text in some answers and numbers in others. */
export const idSchema = z.union([z.string().min(1), z.number().transform(String)]);

const resultSchema = z.object({
  id: idSchema.optional().catch(undefined),
  objectWriteTraceId: idSchema.optional().catch(undefined),
  properties: z.record(z.string(), z.unknown()).default({}).catch({}),
});

const batchSchema = z.object({
  results: z.array(resultSchema).default([]),
  errors: z.array(errorSchema).default([]),
});

/** A change as it was sent: the value that found its record, and what HubSpot calls that value. */
export interface Sent {
  readonly change: Change;
  readonly id: string;
  /** The property that `id` is a value of; undefined when it is the record's own id. */
  readonly idProperty: string | undefined;
}

/** What gives a change its identity in HubSpot's answers. */
export function traceId(change: Change): string {
  return String(change.seq);
}

/**
 * One outcome for each change. At any 2xx some may have failed, some may be missing: those are in doubt. An answer that
 * says two different things of a change leaves it in doubt too. Throws `refused` when the request failed whole.
 */
export function outcomesOf(sent: readonly Sent[], answer: Answer): readonly Outcome[] {
  if (answer.status < 200 || answer.status >= 300) throw refusalOf(answer);
  const { results, errors } = parseAnswer(batchSchema, answer.body, answer.status);
  const found = new Map<number, Outcome[]>();
  const note = (change: Change | undefined, outcome: (seq: number) => Outcome): void => {
    if (change) found.set(change.seq, [...(found.get(change.seq) ?? []), outcome(change.seq)]);
  };
  const find = finder(sent);
  for (const result of results) {
    note(find.byResult(result), (seq) => ({ seq, kind: "accepted", destinationId: result.id }));
  }
  for (const error of errors) {
    for (const change of find.byError(error)) note(change, (seq) => ({ seq, kind: "rejected", ...reasonOf(error) }));
  }
  return sent.map(({ change: { seq } }) => agreed(seq, found.get(seq) ?? []));
}

function agreed(seq: number, outcomes: readonly Outcome[]): Outcome {
  const [first, ...others] = outcomes;
  if (!first) return { seq, kind: "in_doubt", message: "HubSpot's answer does not mention this record." };
  if (others.every((other) => other.kind === first.kind && idOf(other) === idOf(first))) return first;
  return { seq, kind: "in_doubt", message: "HubSpot's answer says two different things of this record." };
}

function idOf(outcome: Outcome): string | undefined {
  return outcome.kind === "accepted" ? outcome.destinationId : undefined;
}

interface Finder {
  byResult(result: z.infer<typeof resultSchema>): Change | undefined;
  byError(error: HubSpotError): readonly Change[];
}

function finder(sent: readonly Sent[]): Finder {
  const byTrace = new Map(sent.map(({ change }) => [traceId(change), change]));
  // By property too: one record's id may look like another's match value.
  const byId = new Map(sent.map(({ change, id, idProperty }) => [identity(idProperty, id), change]));
  const properties = new Set(sent.map(({ idProperty }) => idProperty));
  const byIdentity = (result: z.infer<typeof resultSchema>): Change | undefined => {
    for (const property of properties) {
      const value = property === undefined ? result.id : result.properties[property];
      const change = typeof value === "string" ? byId.get(identity(property, value)) : undefined;
      if (change) return change;
    }
    return undefined;
  };
  return {
    // A trace id that is not ours is no reason to believe the rest of that result.
    byResult: (result) =>
      result.objectWriteTraceId === undefined ? byIdentity(result) : byTrace.get(result.objectWriteTraceId),
    byError: ({ context }) => {
      const traces = context["objectWriteTraceId"] ?? [];
      const ids = context["ids"] ?? context["id"] ?? [];
      const found =
        traces.length > 0
          ? traces.map((trace) => byTrace.get(trace))
          : ids.flatMap((id) => [...properties].map((property) => byId.get(identity(property, id))));
      return found.filter((change) => change !== undefined);
    },
  };
}

function identity(property: string | undefined, value: string): string {
  return JSON.stringify([property ?? null, normal(value)]);
}

/** HubSpot stores e-mail addresses in lower case, whatever it was sent. */
function normal(id: string): string {
  return id.trim().toLowerCase();
}

/** What an answer holds. Throws `unavailable` when it has another form. */
export function parseAnswer<Form>(schema: z.ZodType<Form>, body: unknown, status = 200): Form {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw unknownShape(status);
  return parsed.data;
}

/** A request after one that was applied: when it fails, the batch as a whole may have been applied. */
export async function afterApplied<Result>(request: Promise<Result>): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof DestinationError) || error.kind === "refused") throw error;
    const { kind, message, code, status, retryAfterMs, field, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
  }
}

function unknownShape(status: number): DestinationError {
  return new DestinationError("unavailable", `HubSpot answered ${status} in a form that is not known.`, {
    code: "unknown_answer",
    applied: "unknown",
    status,
  });
}
