/** Answers in ChartMogul's forms. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

/** The form of most refusals. */
export function refusal(code: number, message: string, param: string | null = null): SandboxResponse {
  return { status: code, body: { code, message, param } };
}

/** The form of refusals to make a customer: all fields at fault. */
export function refusedFields(errors: Readonly<Record<string, string>>): SandboxResponse {
  return { status: 422, body: { errors } };
}

export const rateLimit = refusal(429, "Your request rate has exceeded our rate limit.");

export const unauthorized = refusal(401, "No valid API key provided");

/** Failures in ChartMogul's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: rateLimit,
  parallel_limit: refusal(503, "Too many parallel connections."),
  unauthorized,
  trial_expired: refusal(403, "Your trial has expired."),
  gateway_502: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};
