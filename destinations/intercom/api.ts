/** Intercom's API as the adapter calls it, in a pinned version. Paths begin at the root. */
import type { Context } from "../../src/destination.ts";
import { type JsonApi, notingWhatApplied, openJsonApi } from "../../src/json-api.ts";
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

/** The API of one workspace, through the service's fetch. */
export function openApi({ access_token, region, base_url }: IntercomConfig, { fetch }: Context): JsonApi {
  const headers = { authorization: `Bearer ${access_token}`, "intercom-version": version };
  const address = (base_url ?? addresses[region]).replace(/\/+$/, "");
  return openJsonApi({ vendor: "Intercom", address, headers, fetch, refusalOf });
}

/** The same API, but once something was applied through it, no failure is said to have applied nothing. */
export function notingWrites(api: JsonApi): JsonApi {
  // A search is a POST that writes nothing.
  return notingWhatApplied(api, { writes: (method, path) => method !== "GET" && !path.endsWith("/search") });
}
