/** ChartMogul's API as the adapter calls it. Paths begin below `/v1`. */
import type { Context } from "../../src/destination.ts";
import { type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";

export interface ChartMogulConfig {
  readonly api_key: string;
  readonly base_url: string;
}

export function openApi({ api_key, base_url }: ChartMogulConfig, { fetch }: Context): JsonApi {
  // The key is the user's name; the password stays empty.
  const authorization = `Basic ${Buffer.from(`${api_key}:`, "utf8").toString("base64")}`;
  const address = `${base_url.replace(/\/+$/, "")}/v1`;
  return openJsonApi({ vendor: "ChartMogul", address, headers: { authorization }, fetch, refusalOf });
}
