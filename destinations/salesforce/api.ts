/** Salesforce's REST API as the adapter calls it. */
import { z } from "zod";
import { type Bearer, type Context, DestinationError } from "../../src/destination.ts";
import { parseAnswer, refusalOf } from "./errors.ts";
import type { SalesforceConfig } from "./settings.ts";
import { addressOf, grantOf } from "./token.ts";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export interface Answer {
  readonly body: unknown;
  /** Requests made and allowed in 24 hours, such as `18/15000`, where Salesforce tells. */
  readonly usage: string | undefined;
}

export interface SalesforceApi {
  /** A 2xx answer; throws `refused` for any other about records. The path follows `/services/data/v66.0`. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** All rows of a SOQL query. */
  query(soql: string, signal?: AbortSignal): Promise<readonly Row[]>;
}

export type Row = Readonly<Record<string, unknown>>;

const pageSchema = z.object({
  records: z.array(z.record(z.string(), z.unknown())),
  nextRecordsUrl: z.string().optional(),
});

export function openApi(config: SalesforceConfig, context: Context): SalesforceApi {
  const bearer = context.bearer(grantOf(config));
  const root = `/services/data/v${config.api_version}`;
  const call: SalesforceApi["call"] = async (method, path, body, signal) => {
    const address = addressOf(config, await bearer.said(signal));
    return await request(`${address}${root}${path}`, { method, body, signal }, bearer);
  };
  return {
    call,
    query: async (soql, signal) => {
      const rows: Row[] = [];
      let path: string | undefined = `/query?q=${encodeURIComponent(soql)}`;
      while (path !== undefined) {
        const { body } = await call("GET", path, undefined, signal);
        const page: z.infer<typeof pageSchema> = parseAnswer(pageSchema, body);
        rows.push(...page.records);
        // It repeats the root; only what follows the last slash is its own.
        const next = page.nextRecordsUrl?.split("/").at(-1);
        path = next === undefined ? undefined : `/query/${encodeURIComponent(next)}`;
      }
      return rows;
    },
  };
}

interface Asked {
  readonly method: Method;
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

async function request(url: string, { method, body, signal }: Asked, { fetch }: Bearer): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const parsed = parse(await response.text(), response.status);
  if (!response.ok) throw refusalOf({ status: response.status, body: parsed });
  const usage = /api-usage=(\d+\/\d+)/.exec(response.headers.get("sforce-limit-info") ?? "")?.[1];
  return { body: parsed, usage };
}

function parse(text: string, status: number): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    // Something between us and Salesforce answered: whether the write was applied nobody knows.
    throw new DestinationError("unavailable", `Salesforce answered ${status} with something that is not JSON.`, {
      code: "not_json",
      applied: "unknown",
      status,
    });
  }
}
