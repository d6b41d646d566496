/** Zendesk's API as the adapter calls it: the credential, the address, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";
import type { ZendeskConfig } from "./settings.ts";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What the adapter asks of Zendesk. Paths begin after `/api/v2`. */
export interface ZendeskApi {
  /** Any answer about records. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer; throws `refused`, or `busy` for a clash, for any other. */
  ask(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown>;
}

/** The API of one account, through the service's fetch. */
export function openApi(config: ZendeskConfig, context: Context): ZendeskApi {
  const base = (config.base_url ?? `https://${config.subdomain}.zendesk.com`).replace(/\/+$/, "");
  const { fetch, headers: credential } = authorized(config, base, context);
  const headers = { ...credential, accept: "application/json", "content-type": "application/json" };
  const call: ZendeskApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${base}/api/v2${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    return { status: response.status, body: parse(await response.text(), response.status) };
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

/** What sends a request with the credential, and the headers that it wants for that. */
function authorized(
  { email, api_token, access_token, client_id = "", client_secret = "", refresh_token }: ZendeskConfig,
  base: string,
  { fetch, bearer }: Context,
): Pick<Context, "fetch"> & { readonly headers: Readonly<Record<string, string>> } {
  if (refresh_token !== undefined) {
    const form = { client_id, client_secret, scope: "read write" };
    const grant = { url: `${base}/oauth/tokens`, form: () => form, refreshToken: refresh_token };
    return { fetch: bearer(grant).fetch, headers: {} };
  }
  if (access_token !== undefined) return { fetch, headers: { authorization: `Bearer ${access_token}` } };
  const basic = Buffer.from(`${email}/token:${api_token}`).toString("base64");
  return { fetch, headers: { authorization: `Basic ${basic}` } };
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** The same API, but once something may have been applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: ZendeskApi): ZendeskApi {
  let applied = false;
  const noting = async <Result>(method: Method, request: Promise<Result>): Promise<Result> => {
    try {
      const result = await request;
      applied ||= method !== "GET";
      return result;
    } catch (error) {
      if (!applied || !(error instanceof DestinationError)) throw error;
      const { kind, message, code, status, retryAfterMs, field, cause } = error;
      throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
    }
  };
  return {
    call: (method, ...rest) => noting(method, api.call(method, ...rest)),
    ask: (method, ...rest) => noting(method, api.ask(method, ...rest)),
  };
}

function parse(text: string, status: number): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and Zendesk answered, or Zendesk broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Zendesk answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
