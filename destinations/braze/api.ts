/** Braze's REST API as the adapter calls it: every request is a POST of JSON. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { apiAddress, type BrazeConfig } from "./settings.ts";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface BrazeApi {
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Answer>;
}

/** The API of one workspace, through the service's fetch. */
export function openApi(config: BrazeConfig, { fetch }: Context): BrazeApi {
  const address = apiAddress(config);
  const headers = {
    authorization: `Bearer ${config.api_key}`,
    accept: "application/json",
    "content-type": "application/json",
  };
  return {
    post: async (path, body, signal) => {
      const sent = { method: "POST", headers, body: JSON.stringify(body), ...(signal ? { signal } : {}) };
      const response = await fetch(`${address}${path}`, sent);
      return { status: response.status, body: parse(await response.text(), response.status) };
    },
  };
}

export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function parse(text: string, status: number): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and Braze answered, or Braze broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Braze answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
