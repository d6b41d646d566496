/** Intercom's API as the adapter calls it: the credential, the address, the pinned version, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";

/** Where a workspace lives. Intercom answers for each only at its own address. */
const addresses = {
  us: "https://api.intercom.io",
  eu: "https://api.eu.intercom.io",
  au: "https://api.au.intercom.io",
} as const;

/** The connection settings, checked. */
export interface IntercomConfig {
  readonly access_token: string;
  readonly region: keyof typeof addresses;
  readonly base_url?: string | undefined;
}

/** Without it, Intercom answers in the version that the app is set to, which a person can change at any time. */
const version = "2.16";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What the adapter asks of Intercom. Paths begin at the root. */
export interface IntercomApi {
  /** Any answer about records. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer to a GET; throws `refused` for any other. */
  read(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** The API of one workspace, through the service's fetch. */
export function openApi({ access_token, region, base_url }: IntercomConfig, { fetch }: Context): IntercomApi {
  const base = (base_url ?? addresses[region]).replace(/\/+$/, "");
  const headers = {
    authorization: `Bearer ${access_token}`,
    accept: "application/json",
    "content-type": "application/json",
    "intercom-version": version,
  };
  const call: IntercomApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
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

/** Whether an answer says that the request was done. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: IntercomApi): IntercomApi {
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
      applied ||= writes(method, path) && isSuccess(answer);
      return answer;
    },
    read: (path, signal) => noted(api.read(path, signal)),
  };
}

/** A search is a POST that writes nothing. */
function writes(method: Method, path: string): boolean {
  return method !== "GET" && !path.endsWith("/search");
}

function parse(text: string, status: number): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and Intercom answered, or Intercom broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Intercom answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
