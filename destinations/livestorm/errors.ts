/** Livestorm's errors: of one person, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Quota } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

const text = z.string().min(1).optional().catch(undefined);

/** JSON:API. `status` holds a word, such as `unauthorized`, where JSON:API has a number. */
const errorsSchema = z.object({
  errors: z.array(z.object({ title: text, detail: text, code: text, status: text })),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** The reason in a refusal: Livestorm's first error. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const { code, words } = firstError(body);
  return { code: code ?? `http_${status}`, message: words ?? `Livestorm refused the request (${status}).` };
}

function firstError(body: unknown): { readonly code?: string | undefined; readonly words?: string | undefined } {
  const [error] = errorsSchema.safeParse(body).data?.errors ?? [];
  if (!error) return {};
  const { title, detail, code, status } = error;
  const word = [code, status].find((one) => one !== undefined && !/^\d+$/.test(one));
  const words = detail === undefined || detail === title ? title : [title, detail].filter(Boolean).join(": ");
  return { code: word, words };
}

/** A request that Livestorm refused. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { code, message } = reasonOf(answer);
  return new DestinationError("refused", message, { code, applied: "no", status: answer.status });
}

/** The limit of bursts is on the requests of a second. */
const burstMs = 1000;

/** What Livestorm says in a failure beyond its status. */
export function livestormFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const { code, words } = firstError(parseJson(body));
  const message = words === undefined ? {} : { message: words };
  if (status !== 429) return { ...message, ...(code === undefined ? {} : { code }) };
  const waits = headers.has("retry-after") ? {} : { retryAfterMs: burstMs };
  const isMonth = headers.get("ratelimit-monthly-remaining") === "0";
  return { ...message, ...waits, code: isMonth ? "monthly_limit" : "rate_limit" };
}

/** Livestorm tells when the month begins anew, but in a form that its documentation leaves open. */
const lookAgainMs = 86_400_000;

/** What is left of the account's month, for all that use it. */
export function livestormQuotas(headers: Headers): readonly Quota[] {
  const limit = Number(headers.get("ratelimit-monthly-limit") ?? Number.NaN);
  const remaining = Number(headers.get("ratelimit-monthly-remaining") ?? Number.NaN);
  if (!(limit > 0) || !(remaining >= 0)) return [];
  return [{ name: "Livestorm's month", limit, remaining, resetsInMs: lookAgainMs }];
}
