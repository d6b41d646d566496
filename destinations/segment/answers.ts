/** What Segment's answers say. They never mention an event: an answer is about all that its request carried. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

/** `accepted`: taken in for processing. `unclear`: answered with success, but without saying so. */
export type Receipt = "accepted" | "unclear";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const answerSchema = z.object({
  success: z.boolean().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

/** What an answer to a batch says of the events in it. Throws when it refuses them, or is not Segment's. */
export function receiptOf({ status, text }: Answer): Receipt {
  const said = answerSchema.safeParse(parseJson(text)).data;
  if (status < 200 || status >= 300) throw refusal(status, said?.message);
  if (said) return said.success === true ? "accepted" : "unclear";
  throw new DestinationError("unavailable", `Segment answered ${status} with something that is not its own.`, {
    code: "unknown_answer",
    applied: "unknown",
    status,
  });
}

function refusal(status: number, message: string | undefined): DestinationError {
  const words = message ?? `Segment refused the request (${status}).`;
  if (status === 404) {
    const advice = "There is no Tracking API at this address. Look at base_url.";
    return new DestinationError("unauthorized", advice, { code: "api_not_found", applied: "no", status });
  }
  // No smaller batch would be taken with this key.
  if (/write ?key/i.test(words))
    return new DestinationError("unauthorized", words, { code: "write_key_invalid", applied: "no", status });
  return new DestinationError("refused", words, { code: `http_${status}`, applied: "no", status });
}

/** A source's settings, as Segment publishes them for its clients. */
const sourceSchema = z.object({
  integrations: z
    .object({ "Segment.io": z.object({ apiHost: z.string().optional() }).optional() })
    .catch({})
    .default({}),
});

/** The host that Segment's clients are told to send a source's events to; undefined where it does not say. */
export function hostOfSource({ status, text }: Answer): string | undefined {
  if (status === 200) {
    const source = sourceSchema.safeParse(parseJson(text)).data;
    if (source) return source.integrations["Segment.io"]?.apiHost?.split("/")[0];
  }
  const words =
    status === 404
      ? "Segment publishes no settings for this write key. It is wrong, or its source is disabled: Segment would answer 200 to what is sent with it, and lose it. If the source's debugger shows that it is right, set verify_write_key: false."
      : `Segment told nothing of this write key (${status}).`;
  throw new DestinationError("unauthorized", words, { code: "write_key_unknown", applied: "no", status });
}

/** What Segment says of a limit: seconds to wait, in a header of its own where Retry-After is missing. */
export function segmentFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const message = answerSchema.safeParse(parseJson(body)).data?.message;
  const words = message === undefined ? {} : { message };
  if (status !== 429) return words;
  const seconds = Number(headers.get("x-ratelimit-reset") ?? Number.NaN);
  const waits = headers.has("retry-after") || !(seconds >= 0) ? {} : { retryAfterMs: seconds * 1000 };
  return { ...words, ...waits, code: "RATE_LIMIT" };
}
