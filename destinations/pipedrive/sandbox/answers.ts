/** Pipedrive's answers: success with data, or its words for a refusal. */
import type { SandboxResponse } from "../../../src/sandbox.ts";

export function success(data: unknown, more: Readonly<Record<string, unknown>> = {}, status = 200): SandboxResponse {
  return { status, body: { success: true, data, ...more } };
}

export function refusal(status: number, error: string, code: string): SandboxResponse {
  return { status, body: { success: false, error, error_info: "Please check developers.pipedrive.com", code } };
}

export const notFound = refusal(404, "Entity not found", "ERR_NOT_FOUND");

export function invalid(words: string): SandboxResponse {
  return refusal(400, `Validation failed: ${words}`, "ERR_SCHEMA_VALIDATION_FAILED");
}
