/** Pipedrive's API as the adapter calls it: the credential, the address, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";
import { apiAddress, type PipedriveConfig, tokenAddress } from "./settings.ts";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** What the adapter asks of Pipedrive. Paths begin after `/api`, with the version. */
export interface PipedriveApi {
  /** Any answer about records. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer to a GET; throws `refused` for any other. */
  read(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** The API of one company, through the service's fetch. */
export function openApi(config: PipedriveConfig, context: Context): PipedriveApi {
  const base = apiAddress(config);
  const { fetch, headers: credential } = authorized(config, context);
  const headers = { ...credential, accept: "application/json", "content-type": "application/json" };
  const call: PipedriveApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${base}/api${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    const answer = { status: response.status, body: parse(await response.text(), response.status) };
    if (answer.status === 402) throw accountClosed(answer);
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

/** What sends a request with the credential, and the headers that it wants for that. */
function authorized(
  config: PipedriveConfig,
  { fetch, bearer }: Context,
): Pick<Context, "fetch"> & { readonly headers: Readonly<Record<string, string>> } {
  const { api_token = "", client_id = "", client_secret = "", refresh_token } = config;
  if (refresh_token === undefined) return { fetch, headers: { "x-api-token": api_token } };
  const basic = Buffer.from(`${client_id}:${client_secret}`).toString("base64");
  const grant = { url: tokenAddress(config), form: () => ({}), headers: { authorization: `Basic ${basic}` } };
  return { fetch: bearer({ ...grant, refreshToken: refresh_token }).fetch, headers: {} };
}

/** Whether an answer says that the request was done. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** No row is at fault, and none will be taken before a person has opened the account again. */
function accountClosed(answer: Answer): DestinationError {
  const words = `Pipedrive's account is not open, such as after a trial. ${refusalOf(answer).message}`;
  return new DestinationError("unauthorized", words, { code: "account_not_open", applied: "no", status: 402 });
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: PipedriveApi): PipedriveApi {
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
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and Pipedrive answered, or Pipedrive broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Pipedrive answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
