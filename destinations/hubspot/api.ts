/** HubSpot's API as the adapter calls it: HubSpot's own client shapes each request, the service's fetch sends it. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { refusalOf } from "./errors.ts";
import type { HubSpotConfig } from "./settings.ts";

/** An answer about records: 2xx, or a 4xx that is neither about the credential nor about limits. */
export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where the answer has no body. */
  readonly body: unknown;
}

export interface HubSpotApi {
  readonly version: string;
  /** Any answer about records. */
  call(method: "GET" | "POST" | "PUT", path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer; throws `refused` for any other. */
  read(method: "GET" | "POST" | "PUT", path: string, body?: unknown, signal?: AbortSignal): Promise<unknown>;
}

type ApiRequest = (options: {
  method: string;
  path: string;
  body?: unknown;
  signal?: AbortSignal | undefined;
}) => Promise<Response>;

export function openApi(config: HubSpotConfig, context: Context): HubSpotApi {
  const client = openClient(config, authorized(config, context));
  const call: HubSpotApi["call"] = async (method, path, body, signal) => {
    const apiRequest = await client;
    const response = await apiRequest({ method, path, body, signal });
    return { status: response.status, body: parse(await response.text(), response.status) };
  };
  return {
    version: config.api_version,
    call,
    read: async (method, path, body, signal) => {
      const answer = await call(method, path, body, signal);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      throw refusalOf(answer);
    },
  };
}

/** What sends a request: with the token that the client has put on it, or with one that the service renews. */
function authorized(
  { base_url, client_id = "", client_secret = "", refresh_token }: HubSpotConfig,
  { fetch, bearer }: Context,
): Context["fetch"] {
  if (refresh_token === undefined) return fetch;
  const url = `${base_url.replace(/\/+$/, "")}/oauth/v3/token`;
  return bearer({ url, form: () => ({ client_id, client_secret }), refreshToken: refresh_token }).fetch;
}

/**
 * HubSpot's client with our transport: it sets the base path, the credential and the headers, and would send through the
 * global fetch, which knows no pace, no deadline and no guarded addresses. Imported late, for it is large.
 */
async function openClient(config: HubSpotConfig, fetch: Context["fetch"]): Promise<ApiRequest> {
  const { Client } = await import("@hubspot/api-client");
  const { Request } = await import("@hubspot/api-client/lib/src/services/http/Request.js");
  const basePath = config.base_url.replace(/\/+$/, "");
  const { access_token: accessToken } = config;
  const client = new Client({
    ...(accessToken === undefined ? {} : { accessToken }),
    basePath,
    numberOfApiCallRetries: 0,
  });
  return ({ signal, ...options }) => {
    const request = new Request(client.config, options);
    return fetch(request.getUrl(), { ...request.getSendData(), ...(signal ? { signal } : {}) });
  };
}

function parse(text: string, status: number): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something between us and HubSpot answered, or HubSpot broke: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `HubSpot answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
      cause,
    });
  }
}
