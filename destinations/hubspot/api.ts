/** HubSpot's API as the adapter calls it: HubSpot's own client shapes each request, the service's fetch sends it. */
import type { Context } from "../../src/destination.ts";
import { type Answer, isSuccess, readAnswer } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";
import type { HubSpotConfig } from "./settings.ts";

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
    return readAnswer(response, "HubSpot");
  };
  return {
    version: config.api_version,
    call,
    read: async (method, path, body, signal) => {
      const answer = await call(method, path, body, signal);
      if (isSuccess(answer)) return answer.body;
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
