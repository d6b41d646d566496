/** Salesforce's REST API as the adapter calls it. */
import { z } from "zod";
import type { Bearer, Context } from "../../src/destination.ts";
import { isSuccess, type Method, parseJson, readAnswer } from "../../src/json-api.ts";
import { parseAnswer, refusalOf } from "./errors.ts";
import type { SalesforceConfig } from "./settings.ts";
import { addressOf, grantOf } from "./token.ts";

export interface Answer {
  readonly body: unknown;
  /** Requests made and allowed in 24 hours, such as `18/15000`, where Salesforce tells. */
  readonly usage: string | undefined;
}

export interface SalesforceApi {
  /** A 2xx answer; throws `refused` for any other about records. The path follows `/services/data/v66.0`. */
  call(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  /** Sends a table as CSV; throws as `call` does. */
  sendTable(path: string, csv: string, signal?: AbortSignal): Promise<void>;
  /** A table that Salesforce answers as CSV. */
  readTable(path: string, signal?: AbortSignal): Promise<string>;
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
  const urlOf = async (path: string, signal: AbortSignal | undefined): Promise<string> =>
    `${addressOf(config, await bearer.said(signal))}${root}${path}`;
  const call: SalesforceApi["call"] = async (method, path, body, signal) =>
    request(await urlOf(path, signal), { method, body, signal }, bearer);
  return {
    call,
    sendTable: async (path, csv, signal) => {
      const headers = { "content-type": "text/csv; charset=utf-8", accept: "application/json" };
      const sent = { method: "PUT", headers, body: csv, ...(signal ? { signal } : {}) };
      await textOf(await bearer.fetch(await urlOf(path, signal), sent));
    },
    readTable: async (path, signal) => {
      const headers = { accept: "text/csv" };
      return await textOf(await bearer.fetch(await urlOf(path, signal), { headers, ...(signal ? { signal } : {}) }));
    },
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
  const answer = await readAnswer(response, "Salesforce");
  if (!isSuccess(answer)) throw refusalOf(answer);
  const usage = /api-usage=(\d+\/\d+)/.exec(response.headers.get("sforce-limit-info") ?? "")?.[1];
  return { body: answer.body, usage };
}

/** The text of a 2xx answer. */
async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw refusalOf({ status: response.status, body: parseJson(text) });
  return text;
}
