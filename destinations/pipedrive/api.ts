/** Pipedrive's API as the adapter calls it. Paths begin after `/api`, with the version. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { type Answer, type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";
import { apiAddress, type PipedriveConfig, tokenAddress } from "./settings.ts";

/** The API of one company, through the service's fetch. */
export function openApi(config: PipedriveConfig, context: Context): JsonApi {
  return openJsonApi({
    vendor: "Pipedrive",
    address: `${apiAddress(config)}/api`,
    ...authorized(config, context),
    refusalOf,
    failureOf: accountClosed,
  });
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

/** No row is at fault, and none will be taken before a person has opened the account again. */
function accountClosed(answer: Answer): DestinationError | undefined {
  if (answer.status !== 402) return undefined;
  const words = `Pipedrive's account is not open, such as after a trial. ${refusalOf(answer).message}`;
  return new DestinationError("unauthorized", words, { code: "account_not_open", applied: "no", status: 402 });
}
