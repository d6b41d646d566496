/** Livestorm's API as the adapter calls it: the credential, the address, JSON:API in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";

/** The connection settings, checked. */
export interface LivestormConfig {
  readonly api_token: string;
  readonly monthly_calls: number;
  readonly base_url: string;
}

/** An answer about people: 2xx, or a 4xx that is neither about the credential, nor about limits, nor about the plan. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** What the adapter asks of Livestorm. */
export interface LivestormApi {
  /** Any answer about people. `path` begins below `/v1`. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer to a GET; throws `refused` for any other. */
  read(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** The API of one workspace, through the service's fetch. */
export function openApi({ api_token, base_url }: LivestormConfig, { fetch }: Context): LivestormApi {
  const base = `${base_url.replace(/\/+$/, "")}/v1`;
  // Without `Bearer`: with it, Livestorm looks for the token among those of OAuth, and refuses a good one.
  const headers = {
    authorization: api_token,
    accept: "application/vnd.api+json",
    "content-type": "application/vnd.api+json",
  };
  const call: LivestormApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const answer = { status: response.status, body: parse(await response.text(), response.status) };
    if (answer.status === 402) throw allowanceUsed(answer);
    return answer;
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

/** Whether an answer says that the request was done. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** No row is at fault, and none will be taken before a person has changed the plan. */
function allowanceUsed(answer: Answer): DestinationError {
  const { message } = refusalOf(answer);
  const words = `Livestorm takes no further people: the plan's active contacts of this month are used up. ${message}`;
  return new DestinationError("unauthorized", words, { code: "contacts_used_up", applied: "no", status: 402 });
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: LivestormApi): LivestormApi {
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
    // Something between us and Livestorm answered, or Livestorm broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Livestorm answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
