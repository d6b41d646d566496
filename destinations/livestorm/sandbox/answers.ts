/** Answers in Livestorm's forms (JSON:API). */
import type { SandboxResponse } from "../../../src/sandbox.ts";

/** The form of every refusal: `status` holds a word. */
export function refusal(status: number, word: string, title: string, detail: string): SandboxResponse {
  return { status, body: { errors: [{ title, detail, code: String(status), status: word }] } };
}

export const unauthorized = refusal(401, "unauthorized", "Unauthorized", "The API token is missing or invalid.");

export const notFound = refusal(404, "not_found", "Record not found", "The record cannot be found.");

/** What Livestorm answers beyond a limit, with the seconds to wait. */
export function tooMany(retryAfter: number): SandboxResponse {
  return {
    ...refusal(429, "too_many_requests", "Too many requests", "You have reached your API rate limit."),
    headers: { "retry-after": String(retryAfter) },
  };
}

/** Failures in Livestorm's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: tooMany(1),
  monthly_limit: {
    ...tooMany(86_400),
    headers: { "retry-after": "86400", "ratelimit-monthly-remaining": "0" },
  },
  unauthorized,
  workspace_blocked: refusal(403, "forbidden", "Forbidden", "Workspace blocked"),
  contacts_used_up: refusal(402, "payment_required", "Payment required", "Active contacts allowance reached."),
  gateway_502: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};
