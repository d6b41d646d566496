/** Braze's errors: of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { answersOf, parseJson } from "../../src/json-api.ts";

const messageSchema = z.object({ message: z.string().min(1) });

/** A request that Braze refused whole. */
export function refusalOf({ status, body }: { readonly status: number; readonly body: unknown }): DestinationError {
  const message = messageSchema.safeParse(body).data?.message ?? `Braze refused the request (${status}).`;
  return new DestinationError("refused", message, { code: `http_${status}`, applied: "no", status });
}

/** What Braze says in a failure beyond its status: on 429 a header of its own, in seconds. */
export function brazeFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const message = messageSchema.safeParse(parseJson(body)).data?.message;
  const seconds = Number(headers.get("x-ratelimit-retry-after") ?? Number.NaN);
  const waits =
    status === 429 && seconds >= 0 && !headers.has("retry-after")
      ? { retryAfterMs: Math.min(seconds, 3600) * 1000 }
      : {};
  return { ...waits, ...(message === undefined ? {} : { message }) };
}

export const parseAnswer = answersOf("Braze");
