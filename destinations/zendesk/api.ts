/** Zendesk's API as the adapter calls it. Paths begin after `/api/v2`. */
import type { Context } from "../../src/destination.ts";
import { type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";
import type { ZendeskConfig } from "./settings.ts";

/** The API of one account, through the service's fetch. */
export function openApi(config: ZendeskConfig, context: Context): JsonApi {
  const base = (config.base_url ?? `https://${config.subdomain}.zendesk.com`).replace(/\/+$/, "");
  return openJsonApi({ vendor: "Zendesk", address: `${base}/api/v2`, ...authorized(config, base, context), refusalOf });
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
