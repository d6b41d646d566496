/** Mailchimp's Marketing API as the adapter calls it. Paths begin after `/3.0`. */
import type { Context } from "../../src/destination.ts";
import { type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";
import { apiAddress, type MailchimpConfig } from "./settings.ts";

/** The API of one account, through the service's fetch. */
export function openApi(config: MailchimpConfig, { fetch }: Context): JsonApi {
  const authorization = `Basic ${Buffer.from(`sluice:${config.api_key}`).toString("base64")}`;
  const address = apiAddress(config);
  return openJsonApi({ vendor: "Mailchimp", address, headers: { authorization }, fetch, refusalOf });
}
