/** Loops's API as the adapter calls it, and what it says when it refuses. */
import { z } from "zod";
import { type Context, DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import type { LoopsConfig } from "./index.ts";

/** An answer about a contact: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface LoopsApi {
  /** Paths begin after `/v1`. */
  call(method: "GET" | "POST" | "PUT", path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
}

export function openApi({ api_key, base_url = "https://app.loops.so/api" }: LoopsConfig, { fetch }: Context): LoopsApi {
  const root = `${base_url.replace(/\/+$/, "")}/v1`;
  const headers = { authorization: `Bearer ${api_key}`, accept: "application/json" };
  return {
    call: async (method, path, body, signal) => {
      const sent = body === undefined ? { headers } : withJson(headers, body);
      const response = await fetch(`${root}${path}`, { method, ...sent, ...(signal ? { signal } : {}) });
      return { status: response.status, body: parse(await response.text(), response.status) };
    },
  };
}

function withJson(headers: Readonly<Record<string, string>>, body: unknown): RequestInit {
  return { headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (status >= 400) return null;
    const message = `Loops answered ${status} with something that is not JSON.`;
    throw new DestinationError("unavailable", message, { code: "not_json", applied: "unknown", status, cause });
  }
}

/** `{ success: false, message }`, and of a refused key `{ error }`. */
const failureSchema = z
  .object({ message: z.string().min(1).optional(), error: z.string().min(1).optional() })
  .transform(({ message, error }) => message ?? error);

/** Loops's own words, which are all that it says of a failure. */
export function wordsOf(body: unknown): string | undefined {
  return failureSchema.safeParse(body).data;
}

/** A request that was refused whole. */
export function refusalOf({ status, body }: Answer): DestinationError {
  const message = wordsOf(body) ?? `Loops refused the request (${status}).`;
  return new DestinationError("refused", message, { code: `http_${status}`, applied: "no", status });
}

/** Its limit is one of a second, and it names no wait. */
export function loopsFailure({ status, headers, body }: FailedResponse): FailureHint | undefined {
  const wait = status === 429 && !headers.has("retry-after") ? { retryAfterMs: 1000 } : {};
  const message = wordsOf(parseFailure(body));
  return { ...wait, ...(message === undefined ? {} : { message }) };
}

function parseFailure(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What an answer has in its form. Throws `unavailable` when it has another: what was applied nobody knows. */
export function parseAnswer<Form>(schema: z.ZodType<Form>, body: unknown): Form {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new DestinationError("unavailable", "Loops answered in a form that is not known.", {
    code: "unknown_answer",
    applied: "unknown",
  });
}
