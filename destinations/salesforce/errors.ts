/** Salesforce's errors: of one record, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Quota } from "../../src/destination.ts";
import { answersOf, parseJson } from "../../src/json-api.ts";

/** A request's error; `errorCode` there, `statusCode` in a record's. */
const errorSchema = z.object({
  errorCode: z.string().optional().catch(undefined),
  message: z.string().default("").catch(""),
  fields: z.array(z.string()).default([]).catch([]),
});

/** The allowance is of the last 24 hours, so some comes back each hour; Salesforce names no wait. */
const allowanceWaitMs = 3_600_000;

/** A request that Salesforce refused whole; the service halves the batch until the culprit stands alone. */
export function refusalOf({ status, body }: { readonly status: number; readonly body: unknown }): DestinationError {
  const error = firstError(body);
  const words = error && error.message !== "" ? error.message : `Salesforce refused the request (${status}).`;
  const code = error?.errorCode ?? `http_${status}`;
  return new DestinationError("refused", words, { code, applied: "no", status, field: error?.fields[0] });
}

/** What Salesforce says in a failure beyond its status. An exhausted allowance is 403, as a missing right is. */
export function salesforceFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const error = firstError(parseJson(body));
  const said = {
    ...(error?.message ? { message: error.message } : {}),
    ...(error?.errorCode === undefined ? {} : { code: error.errorCode }),
  };
  if (error?.errorCode === "REQUEST_LIMIT_EXCEEDED") {
    const waits = headers.has("retry-after") ? {} : { retryAfterMs: allowanceWaitMs };
    return { ...said, kind: "busy", ...waits };
  }
  // 300: one external id on several records.
  return status === 300 ? { ...said, kind: "refused" } : said;
}

function firstError(body: unknown): z.infer<typeof errorSchema> | undefined {
  return z.array(errorSchema).safeParse(body).data?.[0];
}

export const parseAnswer = answersOf("Salesforce");

/** A request that prepares what a later one applies: when it fails, nothing was applied. */
export async function beforeApplied<Result>(request: Promise<Result>): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    const { kind, message, code, status, retryAfterMs, field, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "no", status, retryAfterMs, field, cause });
  }
}

/** A request after one that may have been applied: when it fails, the batch as a whole may have been applied. */
export async function afterApplied<Result>(request: Promise<Result>, repeatable = false): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    if (error.kind === "refused" && repeatable) throw error;
    const { message, code, status, retryAfterMs, field, cause } = error;
    // A refusal would have the batch halved and sent again, and an insert be made twice.
    const kind = error.kind === "refused" ? "unavailable" : error.kind;
    throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
  }
}

/** The day is a rolling one: how soon more is allowed depends on when it was used. */
const lookAgainMs = 900_000;

/** What is left of the org's requests in 24 hours, for all that use it. */
export function salesforceQuotas(headers: Headers): readonly Quota[] {
  const [, used, limit] = /\bapi-usage=(\d+)\/(\d+)/.exec(headers.get("sforce-limit-info") ?? "")?.map(Number) ?? [];
  if (used === undefined || limit === undefined || limit === 0) return [];
  return [{ name: "Salesforce's day", limit, remaining: Math.max(0, limit - used), resetsInMs: lookAgainMs }];
}
