/** Answers in Zendesk's forms. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

/** The form of most refusals. */
export function refusal(status: number, error: string, description: string): SandboxResponse {
  return { status, body: { error, description } };
}

export const notFound = refusal(404, "RecordNotFound", "Not found");

export const unauthorized: SandboxResponse = { status: 401, body: { error: "Couldn't authenticate you" } };

export const forbidden: SandboxResponse = {
  status: 403,
  body: {
    error: {
      title: "Forbidden",
      message:
        "You do not have access to this page. Please contact the account owner of this help desk for further help.",
    },
  },
};

/** What Zendesk answers beyond the limit of a minute. */
export function rateLimit(seconds: number): SandboxResponse {
  const answer = refusal(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded");
  return { ...answer, headers: { "retry-after": String(seconds) } };
}

/** What Zendesk answers while 30 jobs are queued or running. */
export function tooManyJobs(ids: readonly string[]): SandboxResponse {
  const description = "Too many UserBulkUpdateJobV2 jobs are currently queued or running. Try again later.";
  return { status: 429, body: { error: "TooManyJobs", description, current_job_ids: ids } };
}

/** Failures in Zendesk's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: rateLimit(7),
  too_many_jobs: tooManyJobs([]),
  unauthorized,
  forbidden,
  conflict: refusal(409, "DatabaseConflict", "The database encountered a conflict. Please try again."),
  maintenance: { status: 503, headers: { "retry-after": "30" }, body: { error: "Service Unavailable" } },
  not_json: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};
