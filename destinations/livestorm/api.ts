/** Livestorm's API as the adapter calls it: JSON:API. Paths begin below `/v1`. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { type Answer, type JsonApi, openJsonApi } from "../../src/json-api.ts";
import { refusalOf } from "./errors.ts";

/** The connection settings, checked. */
export interface LivestormConfig {
  readonly api_token: string;
  readonly monthly_calls: number;
  readonly base_url: string;
}

/** The API of one workspace, through the service's fetch. */
export function openApi({ api_token, base_url }: LivestormConfig, { fetch }: Context): JsonApi {
  // Without `Bearer`: with it, Livestorm looks for the token among those of OAuth, and refuses a good one.
  const headers = {
    authorization: api_token,
    accept: "application/vnd.api+json",
    "content-type": "application/vnd.api+json",
  };
  const address = `${base_url.replace(/\/+$/, "")}/v1`;
  return openJsonApi({ vendor: "Livestorm", address, headers, fetch, refusalOf, failureOf: allowanceUsed });
}

/** No row is at fault, and none will be taken before a person has changed the plan. */
function allowanceUsed(answer: Answer): DestinationError | undefined {
  if (answer.status !== 402) return undefined;
  const { message } = refusalOf(answer);
  const words = `Livestorm takes no further people: the plan's active contacts of this month are used up. ${message}`;
  return new DestinationError("unauthorized", words, { code: "contacts_used_up", applied: "no", status: 402 });
}
