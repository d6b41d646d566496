/** Customer.io as the adapter calls it: the Track API takes data in, the App API tells what is there. */
import type { Context } from "../../src/destination.ts";
import { type Answer, isSuccess, parseJson, readAnswer } from "../../src/json-api.ts";
import { refusalOf } from "./answers.ts";
import type { Item } from "./items.ts";

export interface CustomerioConfig {
  readonly site_id: string;
  readonly track_api_key: string;
  readonly app_api_key?: string | undefined;
  readonly region: Region;
  readonly base_url?: string | undefined;
  readonly app_base_url?: string | undefined;
  readonly requests_per_second: number;
}

export type Region = "us" | "eu";

const trackHosts: Readonly<Record<Region, string>> = {
  us: "https://track.customer.io",
  eu: "https://track-eu.customer.io",
};

const appHosts: Readonly<Record<Region, string>> = {
  us: "https://api.customer.io",
  eu: "https://api-eu.customer.io",
};

/** How the people of a segment are named in a request. */
export type IdType = "id" | "email" | "cio_id";

export interface CustomerioApi {
  /** Which region and workspace the Track credentials are for. */
  region(signal?: AbortSignal): Promise<unknown>;
  /** Many items in one request, of which some may be refused. */
  batch(items: readonly Item[], signal?: AbortSignal): Promise<Answer>;
  /** Puts people on a manual segment, or takes them off. */
  changeSegment(verb: "add" | "remove", change: SegmentChange, signal?: AbortSignal): Promise<Answer>;
  /** The body of a 2xx answer of the App API; throws `refused` for any other. Undefined: there is no key for it. */
  readonly app: AppApi | undefined;
}

export interface SegmentChange {
  readonly segmentId: number;
  readonly idType: IdType;
  readonly ids: readonly string[];
}

export type AppApi = (method: "GET" | "POST", path: string, body?: unknown, signal?: AbortSignal) => Promise<unknown>;

export function openApi(config: CustomerioConfig, { fetch }: Context): CustomerioApi {
  const trackRoot = config.base_url ?? trackHosts[config.region];
  const appRoot = config.app_base_url ?? config.base_url ?? appHosts[config.region];
  const basic = `Basic ${Buffer.from(`${config.site_id}:${config.track_api_key}`).toString("base64")}`;
  const call = async (url: URL, authorization: string, asked: Asked): Promise<Answer> => {
    const { method, body, signal } = asked;
    const headers = { authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(url, { ...init, ...(signal ? { signal } : {}) });
    if (response.status < 400) return readAnswer(response, "Customer.io");
    // A refusal may come without JSON: another service at this address says 404 in its own way.
    return { status: response.status, body: parseJson(await response.text()) };
  };
  const key = config.app_api_key;
  return {
    region: async (signal) =>
      bodyOf(await call(below(trackRoot, "api/v1/accounts/region"), basic, { method: "GET", signal })),
    batch: (items, signal) =>
      call(below(trackRoot, "api/v2/batch"), basic, { method: "POST", body: { batch: items }, signal }),
    changeSegment: (verb, { segmentId, idType, ids }, signal) => {
      const url = below(trackRoot, `api/v1/segments/${segmentId}/${verb}_customers?id_type=${idType}`);
      return call(url, basic, { method: "POST", body: { ids }, signal });
    },
    app:
      key === undefined
        ? undefined
        : async (method, path, body, signal) =>
            bodyOf(await call(below(appRoot, path), `Bearer ${key}`, { method, body, signal })),
  };
}

interface Asked {
  readonly method: "GET" | "POST";
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

function below(root: string, path: string): URL {
  return new URL(path, root.endsWith("/") ? root : `${root}/`);
}

function bodyOf(answer: Answer): unknown {
  if (isSuccess(answer)) return answer.body;
  throw refusalOf(answer);
}
