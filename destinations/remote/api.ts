/** Requests to a remote adapter: the credential, the protocol's version, JSON in and out. */
import { type Context, DestinationError } from "../../src/destination.ts";
import { type Asked, unfit } from "./errors.ts";
import { version, versionHeader } from "./protocol.ts";
import type { RemoteConfig } from "./settings.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; of a refusal null where it is none. */
  readonly body: unknown;
}

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly asked: Asked;
  readonly signal: AbortSignal | undefined;
}

export interface RemoteApi {
  /** A success, in this version of the protocol, or a refusal. */
  call(request: Request): Promise<Answer>;
}

export function openApi({ base_url, bearer_token }: RemoteConfig, { fetch }: Context): RemoteApi {
  const root = base_url.replace(/\/+$/, "");
  const headers = {
    [versionHeader]: version,
    accept: "application/json",
    ...(bearer_token === undefined ? {} : { authorization: `Bearer ${bearer_token}` }),
  };
  return {
    call: async ({ method, path, body, asked, signal }) => {
      const response = await fetch(`${root}${path}`, {
        method,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
      const { status } = response;
      const text = await response.text();
      if (status >= 400) return { status, headers: response.headers, body: parse(text) ?? null };
      requireVersion(response.headers.get(versionHeader), asked);
      const parsed = parse(text);
      if (parsed === undefined)
        throw unfit(asked, "answer_invalid", `The adapter answered ${status} to ${method} ${path} without JSON.`);
      return { status, headers: response.headers, body: parsed };
    },
  };
}

function requireVersion(spoken: string | null, asked: Asked): void {
  if (spoken === version) return;
  if (spoken === null)
    throw unfit(
      asked,
      "not_an_adapter",
      `Something answers at base_url, but not with the header Sluice-Protocol. Is an adapter there?`,
    );
  const message = `The adapter speaks version ${JSON.stringify(spoken)} of the protocol; this Sluice speaks ${version}. Bring one to the other's version.`;
  throw unfit(asked, "protocol_unknown", message);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The same failure of a request that came after something may have been applied. */
export function afterApplying(error: DestinationError): DestinationError {
  const { message, code, status, retryAfterMs, field, cause } = error;
  // Halved and sent again, what was written already would be written twice.
  const kind = error.kind === "refused" ? "unavailable" : error.kind;
  return new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
}
