/** Google's errors: of a request, of a token, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { answersOf, parseJson } from "../../src/json-api.ts";

const errorSchema = z.object({
  error: z.object({
    message: z.string().default("").catch(""),
    status: z.string().optional().catch(undefined),
    errors: z
      .array(z.object({ reason: z.string().optional() }))
      .default([])
      .catch([]),
  }),
});

/** Quotas are of a minute; Google names no wait. */
const quotaWaitMs = 60_000;

const quotaReasons = new Set(["rateLimitExceeded", "userRateLimitExceeded"]);

/** A request that Google refused; nothing of it was applied, for a request is applied whole or not at all. */
export function refusalOf({ status, body }: { readonly status: number; readonly body: unknown }): DestinationError {
  const error = errorSchema.safeParse(body).data?.error;
  const words = error?.message || `Google Sheets refused the request (${status}).`;
  return new DestinationError("refused", words, { code: error?.status ?? `http_${status}`, applied: "no", status });
}

/** What Google says in a failure beyond its status. A used-up quota may be 403, as a missing right is. */
export function sheetsFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const error = errorSchema.safeParse(parseJson(body)).data?.error;
  const said = {
    ...(error?.message ? { message: error.message } : {}),
    ...(error?.status === undefined ? {} : { code: error.status }),
  };
  const isQuota = status === 429 || error?.errors.some(({ reason = "" }) => quotaReasons.has(reason)) === true;
  if (!isQuota) return said;
  return { ...said, kind: "busy", ...(headers.has("retry-after") ? {} : { retryAfterMs: quotaWaitMs }) };
}

export const parseAnswer = answersOf("Google Sheets");
