/** Answers in HubSpot's form. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

const correlationId = "aeb5f871-7f07-4993-9211-075dc63e7cbf";

export interface ErrorDetail {
  readonly message: string;
  readonly code?: string;
  readonly context?: Readonly<Record<string, readonly string[]>>;
}

/** A request that is refused whole. */
export function refusal(
  status: number,
  category: string,
  message: string,
  detail: {
    context?: Readonly<Record<string, readonly string[]>>;
    errors?: readonly ErrorDetail[];
    subCategory?: string;
  } = {},
): SandboxResponse {
  return { status, body: { status: "error", message, correlationId, category, ...detail } };
}

/** An error of one record, among the results of others. */
export function recordError(
  category: string,
  message: string,
  context: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, unknown>> {
  return { status: "error", category, message, context, errors: [], links: {} };
}

/** A batch's answer, results in an order that is not the request's. */
export function batchAnswer(
  results: readonly unknown[],
  errors: readonly unknown[],
  at: string,
  partialStatus: number,
): SandboxResponse {
  const body = { status: "COMPLETE", results: results.toReversed(), startedAt: at, completedAt: at };
  if (errors.length === 0) return { status: 200, body };
  return { status: partialStatus, body: { ...body, numErrors: errors.length, errors } };
}

function limit(policyName: string, message: string): SandboxResponse {
  return {
    status: 429,
    body: { status: "error", message, errorType: "RATE_LIMIT", correlationId, policyName, requestId: correlationId },
  };
}

export const tenSecondLimit = limit("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.");
export const dailyLimit = limit("DAILY", "You have reached your daily limit.");

/** Failures in HubSpot's words, by name. */
export const failures: Readonly<Record<string, SandboxResponse>> = {
  ten_secondly_limit: tenSecondLimit,
  daily_limit: dailyLimit,
  migration_477: {
    ...refusal(477, "MIGRATION_IN_PROGRESS", "This account is being moved to another data center."),
    headers: { "retry-after": "1" },
  },
  locked_423: refusal(423, "LOCKED", "The record is locked by another request."),
  missing_scopes: refusal(
    403,
    "MISSING_SCOPES",
    "This app hasn't been granted all required scopes to make this call.",
    {
      errors: [
        {
          message: "One or more of the following scopes are required.",
          context: { requiredGranularScopes: ["crm.objects.contacts.write"] },
        },
      ],
    },
  ),
  unauthorized: refusal(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or invalid."),
  gateway_502: { status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" },
};
