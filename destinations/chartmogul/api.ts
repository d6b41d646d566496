/** ChartMogul's API as the adapter calls it: the credential, the address, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";

export interface ChartMogulConfig {
  readonly api_key: string;
  readonly base_url: string;
}

/** An answer about customers: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export interface ChartMogulApi {
  /** Any answer about customers. `path` begins below `/v1`. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer to a GET; throws `refused` for any other. */
  read(path: string, signal?: AbortSignal): Promise<unknown>;
}

export function openApi({ api_key, base_url }: ChartMogulConfig, { fetch }: Context): ChartMogulApi {
  const base = `${base_url.replace(/\/+$/, "")}/v1`;
  // The key is the user's name; the password stays empty.
  const authorization = `Basic ${Buffer.from(`${api_key}:`, "utf8").toString("base64")}`;
  const call: ChartMogulApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { authorization, accept: "application/json", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    return { status: response.status, body: parse(await response.text(), response.status) };
  };
  return {
    call,
    read: async (path, signal) => {
      const answer = await call("GET", path, undefined, signal);
      if (isSuccess(answer)) return answer.body;
      throw refusalOf(answer);
    },
  };
}

export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: ChartMogulApi): ChartMogulApi {
  let applied = false;
  const noted = async <Result>(request: Promise<Result>): Promise<Result> => {
    try {
      return await request;
    } catch (error) {
      if (!applied || !(error instanceof DestinationError)) throw error;
      const { kind, message, code, status, retryAfterMs, field, cause } = error;
      throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
    }
  };
  return {
    call: async (method, path, body, signal) => {
      const answer = await noted(api.call(method, path, body, signal));
      applied ||= method !== "GET" && isSuccess(answer);
      return answer;
    },
    read: (path, signal) => noted(api.read(path, signal)),
  };
}

function parse(text: string, status: number): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and ChartMogul answered, or ChartMogul broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `ChartMogul answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
