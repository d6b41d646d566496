/** Answers in Customer.io's forms, which differ between its APIs. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

export const taken: SandboxResponse = { status: 200, body: {} };

/** The second version of the Track API. */
export function trackRefusal(status: number, reason: string, field: string, message: string): SandboxResponse {
  return { status, body: { errors: [{ reason, field, message }] } };
}

/** The first version of the Track API. */
export function metaRefusal(status: number, ...errors: readonly string[]): SandboxResponse {
  return { status, body: { meta: { errors } } };
}

export function appRefusal(status: number, detail: string, code?: string): SandboxResponse {
  const error = {
    detail: `${detail} (reference a1b2c3)`,
    status: String(status),
    ...(code === undefined ? {} : { code }),
  };
  return { status, body: { errors: [error] } };
}

/** Failures in Customer.io's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  // The Track API tells no wait.
  track_limit: trackRefusal(429, "rate_limited", "", "Too many requests"),
  app_limit: { ...appRefusal(429, "rate limited to 10 requests per 1s"), headers: { "retry-after": "1" } },
  unauthorized: { status: 401, body: { meta: { error: "Unauthorized request" } } },
  malformed: trackRefusal(400, "invalid", "batch", "malformed request"),
  gateway_502: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};
