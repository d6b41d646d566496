/** Braze's REST API as the adapter calls it. */
import type { Context } from "../../src/destination.ts";
import { type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";
import { apiAddress, type BrazeConfig } from "./settings.ts";

/** The API of one workspace, through the service's fetch. */
export function openApi(config: BrazeConfig, { fetch }: Context): JsonApi {
  const headers = { authorization: `Bearer ${config.api_key}` };
  return openJsonApi({ vendor: "Braze", address: apiAddress(config), headers, fetch, refusalOf });
}
