/** ChartMogul's errors: of one customer, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

const messages = z.union([z.string(), z.array(z.string()).transform((all) => all.join(" "))]);

/** Two forms: `{ code, message, param }`, and `{ errors: { field: message } }` of what began as the Import API. */
const errorSchema = z.object({
  message: z.string().optional().catch(undefined),
  param: z.string().optional().catch(undefined),
  errors: z.record(z.string(), messages).optional().catch(undefined),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

/** The reason in a refusal, with the field at fault where ChartMogul names one that can be believed. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const error = errorSchema.safeParse(body).data ?? {};
  const code = `http_${status}`;
  const listed = Object.entries(error.errors ?? {});
  if (listed.length > 0)
    return { code, message: listed.map(([, words]) => words).join(" "), field: believed(listed[0]?.[0]) };
  const message = error.message ?? `ChartMogul refused the request (${status}).`;
  return { code, message, field: believed(error.param) };
}

/** `custom[0][type]` is said whichever attribute is at fault: the number cannot be believed. */
function believed(param: string | undefined): string | undefined {
  return param === undefined || !/^\w+$/.test(param) ? undefined : param;
}

/** A request that ChartMogul refused. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { code, message, field } = reasonOf(answer);
  return new DestinationError("refused", message, { code, applied: "no", status: answer.status, field });
}

/** The limit is on the requests of a second, and no answer tells how long to wait. */
const waitMs = 1000;

/** What ChartMogul says in a failure beyond its status. */
export function chartMogulFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const said = errorSchema.safeParse(parseJson(body)).data?.message;
  const message = said === undefined ? {} : { message: said };
  const waits = headers.has("retry-after") ? {} : { retryAfterMs: waitMs };
  switch (status) {
    case 429:
      return { ...message, ...waits, code: "rate_limit" };
    case 503:
      // More than twenty connections side by side: refused at the door.
      if (!/parallel/i.test(said ?? "")) return message;
      return { ...message, ...waits, kind: "busy", code: "parallel_limit" };
    default:
      return message;
  }
}
