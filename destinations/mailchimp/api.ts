/** Mailchimp's Marketing API as the adapter calls it: the credential, the data center, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";
import { apiAddress, type MailchimpConfig } from "./settings.ts";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

/** What the adapter asks of Mailchimp. Paths begin after `/3.0`. */
export interface MailchimpApi {
  /** Any answer about records. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer; throws `refused` for any other. */
  ask(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown>;
}

/** The API of one account, through the service's fetch. */
export function openApi(config: MailchimpConfig, { fetch }: Context): MailchimpApi {
  const root = apiAddress(config);
  const headers = {
    authorization: `Basic ${Buffer.from(`sluice:${config.api_key}`).toString("base64")}`,
    accept: "application/json",
    "content-type": "application/json",
  };
  const call: MailchimpApi["call"] = async (method, path, body, signal) => {
    const response = await fetch(`${root}${path}`, {
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

/** Whether an answer says that the request was done. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWhatApplied(api: MailchimpApi): MailchimpApi {
  let applied = false;
  const noting = async <Result>(method: Method, request: Promise<Result>): Promise<Result> => {
    try {
      const result = await request;
      applied ||= method !== "GET";
      return result;
    } catch (error) {
      if (!applied || !(error instanceof DestinationError)) throw error;
      const { message, code, status, retryAfterMs, field, cause } = error;
      // Halved and sent again, what was written already would be written twice.
      const kind = error.kind === "refused" ? "unavailable" : error.kind;
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
    // Something between us and Mailchimp answered, or Mailchimp broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Mailchimp answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
