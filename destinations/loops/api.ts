/** Loops's API as the adapter calls it, and what it says when it refuses. */
import { z } from "zod";
import { type Context, DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { type Answer, answersOf, type JsonApi, openJsonApi, parseJson } from "../../src/json-api.ts";
import type { LoopsConfig } from "./settings.ts";

/** Paths begin after `/v1`. */
export function openApi({ api_key, base_url = "https://app.loops.so/api" }: LoopsConfig, { fetch }: Context): JsonApi {
  const address = `${base_url.replace(/\/+$/, "")}/v1`;
  const headers = { authorization: `Bearer ${api_key}` };
  return openJsonApi({ vendor: "Loops", address, headers, fetch, refusalOf });
}

/** `{ success: false, message }`, and of a refused key `{ error }`. */
const failureSchema = z
  .object({ message: z.string().min(1).optional(), error: z.string().min(1).optional() })
  .transform(({ message, error }) => message ?? error);

/** Loops's own words, which are all that it says of a failure. */
export function wordsOf(body: unknown): string | undefined {
  return failureSchema.safeParse(body).data;
}

/** A request that was refused whole. */
export function refusalOf({ status, body }: Answer): DestinationError {
  const message = wordsOf(body) ?? `Loops refused the request (${status}).`;
  return new DestinationError("refused", message, { code: `http_${status}`, applied: "no", status });
}

/** Its limit is one of a second, and it names no wait. */
export function loopsFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const wait = status === 429 && !headers.has("retry-after") ? { retryAfterMs: 1000 } : {};
  const message = wordsOf(parseJson(body));
  return { ...wait, ...(message === undefined ? {} : { message }) };
}

export const parseAnswer = answersOf("Loops");
