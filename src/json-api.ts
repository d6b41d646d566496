/**
 * A vendor's API of JSON in and out, over the fetch that an adapter is given. What adapters of such vendors would each write
 * again: the body there and back, an answer that is no JSON, and what a failure means after something was written.
 */
import type { z } from "zod";
import { type Context, DestinationError } from "./destination.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export interface JsonApi {
  /** Any answer about records. The path follows the API's address. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer; throws the vendor's refusal for any other. */
  ask(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown>;
}

export interface JsonApiOptions {
  /** What people call the vendor. */
  readonly vendor: string;
  /** What all paths follow. */
  readonly address: string;
  /** The credential, and what the vendor wants beside it. Default of both types: `application/json`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Context["fetch"];
  /** The error that an answer is which is not 2xx. */
  readonly refusalOf: (answer: Answer) => DestinationError;
  /** An answer that is a failure of the whole account, though its status does not say so. */
  readonly failureOf?: (answer: Answer) => DestinationError | undefined;
}

export function openJsonApi({ vendor, address, fetch, refusalOf, failureOf, ...given }: JsonApiOptions): JsonApi {
  const headers = { accept: "application/json", "content-type": "application/json", ...given.headers };
  const call: JsonApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${address}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const answer = await readAnswer(response, vendor);
    const failure = failureOf?.(answer);
    if (failure) throw failure;
    return answer;
  };
  return {
    call,
    ask: async (method, path, body, signal) => {
      const answer = await call(method, path, body, signal);
      if (isSuccess(answer)) return answer.body;
      throw refusalOf(answer);
    },
  };
}

/** Whether an answer says that the request was done. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** An answer with its body parsed. Throws `unavailable`, code `not_json`, for one that is something else. */
export async function readAnswer(response: Response, vendor: string): Promise<Answer> {
  const { status } = response;
  const text = await response.text();
  if (text.trim() === "") return { status, body: null };
  try {
    return { status, body: JSON.parse(text) };
  } catch (cause) {
    // Something between us and the vendor answered, or the vendor broke: whether a write was applied nobody knows.
    const message = `${vendor} answered ${status} with something that is not JSON.`;
    throw new DestinationError("unavailable", message, { code: "not_json", applied: "unknown", status, cause });
  }
}

/** Reads answers of a vendor in their forms. Throws `unavailable` for one that has another: what was applied nobody knows. */
export function answersOf(vendor: string): <Form>(schema: z.ZodType<Form>, body: unknown) => Form {
  return (schema, body) => {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const message = `${vendor} answered in a form that is not known.`;
    throw new DestinationError("unavailable", message, { code: "unknown_answer", applied: "unknown" });
  };
}

/** A text as JSON, or null where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export interface NotingOptions {
  /** Whether a request writes. Default: every one but a GET. */
  readonly writes?: (method: Method, path: string) => boolean;
  /**
   * A refusal that comes after something was applied is told as this kind: a batch that is `refused` is halved and sent
   * again. Default: as it is, for what is safely sent again.
   */
  readonly refusedAs?: "refused" | "unavailable";
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(
  api: JsonApi,
  { writes = (method) => method !== "GET", refusedAs = "refused" }: NotingOptions = {},
): JsonApi {
  let applied = false;
  const noted = async <Result>(request: Promise<Result>): Promise<Result> => {
    try {
      return await request;
    } catch (error) {
      if (!applied || !(error instanceof DestinationError)) throw error;
      const { message, code, status, retryAfterMs, field, cause } = error;
      const kind = error.kind === "refused" ? refusedAs : error.kind;
      throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
    }
  };
  return {
    call: async (method, path, body, signal) => {
      const answer = await noted(api.call(method, path, body, signal));
      applied ||= writes(method, path) && isSuccess(answer);
      return answer;
    },
    ask: async (method, path, body, signal) => {
      const answer = await noted(api.ask(method, path, body, signal));
      applied ||= writes(method, path);
      return answer;
    },
  };
}
