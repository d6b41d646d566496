/** HubSpot's errors: of one record, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Quota } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

const texts = z.union([z.array(z.coerce.string()), z.coerce.string().transform((text) => [text])]).catch([]);

/** All fields of HubSpot's errors are optional, by its own words. */
export const errorSchema = z.object({
  category: z.string().optional().catch(undefined),
  subCategory: z.string().optional().catch(undefined),
  message: z.string().default("").catch(""),
  context: z.record(z.string(), texts).default({}).catch({}),
  errors: z
    .array(
      z.object({
        code: z.string().optional().catch(undefined),
        message: z.string().default("").catch(""),
        context: z.record(z.string(), texts).default({}).catch({}),
      }),
    )
    .default([])
    .catch([]),
});

export type HubSpotError = z.infer<typeof errorSchema>;

/** What an error says of one record. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

/** `Property values were not valid: [{"isValid":false,"message":…,"error":"INVALID_OPTION","name":"industry"}]` */
const invalidValues = z.array(
  z.object({ error: z.string().optional(), name: z.string().optional(), message: z.string().optional() }),
);

/** The reason in an error, with the property at fault where HubSpot names one. */
export function reasonOf(error: HubSpotError): Reason {
  const embedded = embeddedReason(error.message);
  if (embedded) return embedded;
  const [detail] = error.errors;
  const field = detail?.context["propertyName"]?.[0] ?? error.context["propertyName"]?.[0];
  const message = detail && detail.message !== "" ? detail.message : error.message;
  return { code: detail?.code ?? error.subCategory ?? error.category ?? "REJECTED", message, field };
}

function embeddedReason(message: string): Reason | undefined {
  const at = message.indexOf("[{");
  if (at < 0) return undefined;
  try {
    const [first] = invalidValues.parse(JSON.parse(message.slice(at, message.lastIndexOf("]") + 1)));
    return first && { code: first.error ?? "VALIDATION_ERROR", message: first.message ?? message, field: first.name };
  } catch {
    return undefined;
  }
}

/** A request that HubSpot refused whole; the service halves the batch until the culprit stands alone. */
export function refusalOf({ status, body }: { readonly status: number; readonly body: unknown }): DestinationError {
  const error = errorSchema.safeParse(body).data;
  const { code, message, field } = error ? reasonOf(error) : { code: `http_${status}`, message: "", field: undefined };
  const words = message === "" ? `HubSpot refused the request (${status}).` : message;
  return new DestinationError("refused", words, { code, applied: "no", status, field });
}

const failureSchema = z.object({
  message: z.string().optional().catch(undefined),
  category: z.string().optional().catch(undefined),
  policyName: z.string().optional().catch(undefined),
});

/** How long each limit asks to wait. HubSpot gives no Retry-After with them. */
const policyWaitMs: Readonly<Record<string, number>> = {
  SECONDLY: 1000,
  TEN_SECONDLY_ROLLING: 10_000,
  // Until midnight of the account's time zone, which the answer does not tell: looked at again in an hour.
  DAILY: 3_600_000,
};

/** A lock lasts two seconds. */
const lockMs = 2000;

/** What HubSpot says in a failure beyond its status. */
export function hubspotFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const said = failureSchema.safeParse(parseJson(body)).data ?? {};
  const message = said.message === undefined ? {} : { message: said.message };
  switch (status) {
    case 423:
      return { ...message, code: "LOCKED", retryAfterMs: lockMs };
    case 429: {
      const policy = said.policyName ?? "TEN_SECONDLY_ROLLING";
      const waits = headers.has("retry-after") ? {} : { retryAfterMs: policyWaitMs[policy] ?? 10_000 };
      return { ...message, code: `RATE_LIMIT_${policy}`, ...waits };
    }
    case 477:
      return { ...message, kind: "busy", code: "MIGRATION_IN_PROGRESS" };
    case 522:
    case 525:
    case 526:
      return { ...message, kind: "unauthorized", code: `http_${status}` };
    default:
      return { ...message, ...(said.category === undefined ? {} : { code: said.category }) };
  }
}

/** The day ends at midnight of the account's time zone, which HubSpot does not tell here. */
const lookAgainMs = 3_600_000;

/** What is left of the account's day, for all of its apps. Not told to apps that were authorized by OAuth. */
export function hubspotQuotas(headers: Headers): readonly Quota[] {
  const limit = Number(headers.get("x-hubspot-ratelimit-daily") ?? Number.NaN);
  const remaining = Number(headers.get("x-hubspot-ratelimit-daily-remaining") ?? Number.NaN);
  if (!(limit > 0) || !(remaining >= 0)) return [];
  return [{ name: "HubSpot's day", limit, remaining, resetsInMs: lookAgainMs }];
}
