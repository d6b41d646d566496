/** Zendesk's errors: of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Quota } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

const text = z.string().min(1).optional().catch(undefined);

/** `{ error: "RecordInvalid", description, details: { email: [{ description, error }] } }`, or `error` as an object. */
const errorSchema = z.object({
  error: z.union([z.string(), z.object({ title: text, message: text })]),
  description: text,
  details: z
    .record(z.string(), z.array(z.object({ description: text })))
    .optional()
    .catch(undefined),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** The reason in a refusal, with the field at fault where Zendesk names one. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const { code, words, field } = said(body);
  return { code: code ?? `http_${status}`, message: words ?? `Zendesk refused the request (${status}).`, field };
}

function said(body: unknown): {
  readonly code?: string | undefined;
  readonly words?: string | undefined;
  readonly field?: string | undefined;
} {
  const given = errorSchema.safeParse(body).data;
  if (!given) return {};
  const { error, description, details = {} } = given;
  if (typeof error !== "string") return { words: [error.title, error.message].filter(Boolean).join(": ") || undefined };
  const [field, faults] = Object.entries(details)[0] ?? [];
  // An error of one word is a code; `Couldn't authenticate you` is not.
  const code = /^\w+$/.test(error) ? error : undefined;
  return { code, words: faults?.[0]?.description ?? description ?? (code ? undefined : error), field };
}

/** Until some of the account's 30 jobs are done. */
const jobsWaitMs = 10_000;

/** A request that Zendesk refused whole, or to which another one got in the way. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { status } = answer;
  const { code, message, field } = reasonOf(answer);
  if (code === "TooManyJobs")
    return new DestinationError("busy", message, { code, applied: "no", status, retryAfterMs: jobsWaitMs });
  // Two wrote to one record at the same moment; neither is wrong.
  if (status === 409) return new DestinationError("busy", message, { code, applied: "no", status, retryAfterMs: 1000 });
  return new DestinationError("refused", message, { code, applied: "no", status, field });
}

/** What Zendesk says in a failure beyond its status. */
export function zendeskFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const { code, words } = said(parseJson(body));
  const message = words === undefined ? {} : { message: words };
  const named = code === undefined ? {} : { code };
  if (status !== 429 || headers.has("retry-after")) return { ...message, ...named };
  if (code === "TooManyJobs") return { ...message, code, retryAfterMs: jobsWaitMs };
  return { ...message, ...named, retryAfterMs: waitUntilReset(headers) };
}

const minuteMs = 60_000;

function waitUntilReset(headers: Headers): number {
  const seconds = Number(headers.get("ratelimit-reset") ?? Number.NaN);
  return seconds >= 0 && seconds <= 60 ? Math.max(seconds, 1) * 1000 : minuteMs;
}

/** What is left of the account's minute, for all that use it. */
export function zendeskQuotas(headers: Headers): readonly Quota[] {
  const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((name) =>
    Number(headers.get(`ratelimit-${name}`) ?? Number.NaN),
  ) as [number, number, number];
  if (!(limit > 0) || !(remaining >= 0) || !(reset >= 0)) return [];
  return [{ name: "Zendesk's minute", limit, remaining, resetsInMs: reset * 1000 }];
}
