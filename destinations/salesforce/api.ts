/** Salesforce's REST API as the adapter calls it, with a session that is renewed when it has ended. */
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { parseAnswer, refusalOf } from "./errors.ts";
import type { SalesforceConfig } from "./settings.ts";
import { openSession, type Session } from "./token.ts";

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
  let session: Promise<Session> | undefined;
  const current = (signal?: AbortSignal): Promise<Session> => {
    if (session) return session;
    const opened = openSession(config, context, signal);
    session = opened;
    opened.catch(() => {
      if (session === opened) session = undefined;
    });
    return opened;
  };
  const root = `/services/data/v${config.api_version}`;
  const send = async (asked: Asked, signal?: AbortSignal): Promise<Answer> => {
    const used = current(signal);
    try {
      return await request(await used, asked, context, signal);
    } catch (error) {
      if (!isSessionEnded(error)) throw error;
      // Others may have renewed it meanwhile.
      if (session === used) session = undefined;
      return request(await current(signal), asked, context, signal);
    }
  };
  const call: SalesforceApi["call"] = (method, path, body, signal) =>
    send({ method, path: `${root}${path}`, body }, signal);
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
  readonly path: string;
  readonly body: unknown;
}

/** A token's end is refused before anything is applied. What the token endpoint itself refuses is no ended session. */
function isSessionEnded(error: unknown): boolean {
  return error instanceof DestinationError && error.status === 401 && error.code === "INVALID_SESSION_ID";
}

async function request(
  { token, address }: Session,
  { method, path, body }: Asked,
  { fetch }: Context,
  signal?: AbortSignal,
): Promise<Answer> {
  const response = await fetch(`${address}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
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
