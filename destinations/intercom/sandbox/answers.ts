/** Answers in Intercom's forms. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

/** The form of every refusal. */
export function refusal(status: number, code: string, message: string, field?: string): SandboxResponse {
  const error = { code, message, ...(field === undefined ? {} : { field }) };
  return { status, body: { type: "error.list", request_id: "000sandbox", errors: [error] } };
}

export const contactNotFound = refusal(404, "not_found", "User Not Found");

export const companyNotFound = refusal(404, "company_not_found", "Company Not Found");

export const unauthorized = refusal(401, "unauthorized", "Access Token Invalid");

/** What Intercom answers beyond the limit of ten seconds. */
export function rateLimit(limit: number): SandboxResponse {
  return refusal(429, "rate_limit_exceeded", `Exceeded rate limit of ${limit} in 10_seconds`);
}

/** Failures in Intercom's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: rateLimit(1667),
  unauthorized,
  forbidden: refusal(403, "action_forbidden", "The action is not authorized"),
  plan_restricted: refusal(403, "api_plan_restricted", "Active subscription needed."),
  timeout: refusal(408, "request_timeout", "The server timed out while processing the request"),
  server_error: refusal(500, "server_error", "Internal server error"),
  unavailable: refusal(503, "service_unavailable", "Sorry, the API service is temporarily unavailable"),
};
