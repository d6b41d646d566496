/** Pipedrive's errors: of one record, of a whole request, and those that ask to wait. */
import { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { answersOf, parseJson } from "../../src/json-api.ts";

/** `{ success: false, error, error_info, code: "ERR_…" }` */
const errorSchema = z.object({
  error: z.string().min(1),
  error_info: z.string().optional().catch(undefined),
  code: z.string().min(1).optional().catch(undefined),
});

/** What a refusal says. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
}

/** The reason in a refusal. Pipedrive has no member for the field at fault, but names custom ones by their keys. */
export function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): Reason {
  const said = errorSchema.safeParse(body).data;
  if (!said) return { code: `http_${status}`, message: `Pipedrive refused the request (${status}).` };
  return {
    code: (said.code ?? `http_${status}`).toLowerCase(),
    message: said.error,
    field: /\b[0-9a-f]{40}\b/.exec(said.error)?.[0],
  };
}

/** A request that Pipedrive refused. */
export function refusalOf(answer: { readonly status: number; readonly body: unknown }): DestinationError {
  const { code, message, field } = reasonOf(answer);
  return new DestinationError("refused", message, { code, applied: "no", status: answer.status, field });
}

/** Requests are counted in windows of so long. */
const windowMs = 2000;

/** The budget returns at midnight of Pipedrive's server, whose zone nobody is told: asked again now and then. */
const budgetWaitMs = 3_600_000;

/** Who goes on after 429 is shut out for a time that is not published. */
const shutOutMs = 300_000;

/** What Pipedrive says in a failure beyond its status. */
export function pipedriveFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const parsed = parseJson(body);
  // Cloudflare answers then, with a page.
  if (status === 403 && parsed === null)
    return {
      kind: "busy",
      code: "shut_out",
      retryAfterMs: shutOutMs,
      message: "Too many requests came after Pipedrive had asked to wait.",
    };
  const said = errorSchema.safeParse(parsed).success ? reasonOf({ status, body: parsed }) : undefined;
  const words = said ? { message: said.message, code: said.code } : {};
  if (status !== 429) return said ? words : undefined;
  const code = isBudgetSpent(headers, said?.message ?? "") ? "daily_budget" : "rate_limit";
  return { ...words, code, ...(headers.has("retry-after") ? {} : { retryAfterMs: waitOf(code, headers) }) };
}

function isBudgetSpent(headers: Headers, words: string): boolean {
  const left = headers.get("x-daily-ratelimit-token-remaining") ?? headers.get("x-daily-requests-left");
  return left === null ? /\b(daily|budget)\b/i.test(words) : Number(left) <= 0;
}

/** Until the window ends, as Pipedrive tells it: in seconds from now. */
function waitOf(code: "daily_budget" | "rate_limit", headers: Headers): number {
  if (code === "daily_budget") return budgetWaitMs;
  const seconds = Number(headers.get("x-ratelimit-reset") ?? Number.NaN);
  return seconds > 0 && seconds <= 3600 ? Math.ceil(seconds * 1000) : windowMs;
}

export const parseAnswer = answersOf("Pipedrive");
