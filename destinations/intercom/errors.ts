/** Intercom's errors: of one record, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint, type Quota } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";

/** `{ type: "error.list", request_id, errors: [{ code, message, field }] }` */
const errorsSchema = z.object({
  errors: z.array(
    z.object({
      code: z.string().optional().catch(undefined),
      message: z.string().optional().catch(undefined),
      field: z.string().optional().catch(undefined),
    }),
  ),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field: string | undefined;
}

/** The reason in a refusal: Intercom's first error, with the field at fault where it names one. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const [error] = errorsSchema.safeParse(body).data?.errors ?? [];
  return {
    code: error?.code ?? `http_${status}`,
    message: error?.message ?? `Intercom refused the request (${status}).`,
    field: error?.field,
  };
}

/** A request that Intercom refused. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { code, message, field } = reasonOf(answer);
  return new DestinationError("refused", message, { code, applied: "no", status: answer.status, field });
}

/** A minute's limit is dealt out in slices of ten seconds. */
export const sliceMs = 10_000;

/** What Intercom says in a failure beyond its status. */
export function intercomFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const [error] = errorsSchema.safeParse(parseJson(body)).data?.errors ?? [];
  const message = error?.message === undefined ? {} : { message: error.message };
  const code = error?.code === undefined ? {} : { code: error.code };
  const waits = status === 429 && !headers.has("retry-after") ? { retryAfterMs: waitUntilReset(headers) } : {};
  return { ...message, ...code, ...waits };
}

/** Intercom tells the second at which the slice ends; by its own clock, for ours may go otherwise. */
function waitUntilReset(headers: Headers): number {
  const wait = untilReset(headers);
  return wait >= 0 && wait <= 60_000 ? Math.max(wait, 1000) : sliceMs;
}

function untilReset(headers: Headers): number {
  return Number(headers.get("x-ratelimit-reset") ?? Number.NaN) * 1000 - Date.parse(headers.get("date") ?? "");
}

/** What is left of the slice, for all that use the app. */
export function intercomQuotas(headers: Headers): readonly Quota[] {
  const limit = Number(headers.get("x-ratelimit-limit") ?? Number.NaN);
  const remaining = Number(headers.get("x-ratelimit-remaining") ?? Number.NaN);
  const resetsInMs = untilReset(headers);
  if (!(limit > 0) || !(remaining >= 0) || !(resetsInMs >= 0 && resetsInMs <= 60_000)) return [];
  return [{ name: "Intercom's slice", limit, remaining, resetsInMs }];
}
