/** The service as the adapter calls it: address, credential, signature, and what must not be told. */
import { createHmac, randomUUID } from "node:crypto";
import { type Context, DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import type { Answer } from "./answers.ts";
import { textAt } from "./pointer.ts";
import type { Redact } from "./redact.ts";
import type { HttpRequest } from "./requests.ts";
import { basicOf, type HttpConfig } from "./settings.ts";

export interface HttpApi {
  /** Sends a request. `key` is the same for every attempt at it. */
  send(request: HttpRequest, key: string, signal?: AbortSignal): Promise<Answer>;
  /** Asks by GET, which writes nothing. */
  read(path: string, signal?: AbortSignal): Promise<Answer>;
  /** The status at base_url, whatever it is; throws only where nothing answers. */
  knock(signal?: AbortSignal): Promise<number>;
}

/** `now`: milliseconds, for the time in signatures. */
export function openApi(
  config: HttpConfig,
  { fetch }: Context,
  { redact, now = Date.now }: { readonly redact: Redact; readonly now?: () => number },
): HttpApi {
  const base = config.base_url.replace(/\/+$/, "");
  const own = headersOf(config);
  const ask = async (address: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> => {
    try {
      return await fetch(`${base}${address}`, { ...init, ...(signal ? { signal } : {}) });
    } catch (error) {
      throw redact.error(error);
    }
  };
  return {
    async send({ method, address, headers, body }, key, signal) {
      const idempotent = config.idempotency_header === undefined ? {} : { [config.idempotency_header]: key };
      const signature = signatureOf(config, { key, body, now: now() });
      const all = { ...headers, ...own, ...idempotent, ...signature };
      return toAnswer(await ask(address, { method, headers: all, ...(body === "" ? {} : { body }) }, signal));
    },
    async read(path, signal) {
      // Another key each time: a receiver may take one that it has seen for a replay.
      const signature = signatureOf(config, { key: `check-${randomUUID()}`, body: "", now: now() });
      return toAnswer(await ask(path, { headers: { ...own, ...signature } }, signal));
    },
    async knock(signal) {
      try {
        return (await ask("", { method: "HEAD", headers: own }, signal)).status;
      } catch (error) {
        // An answer of any kind shows that something is there.
        if (error instanceof DestinationError && error.status !== undefined && error.status < 500) return error.status;
        throw error;
      }
    },
  };
}

/** The headers of every request. */
function headersOf(config: HttpConfig): Readonly<Record<string, string>> {
  return { ...config.headers, ...config.secret_headers, ...credentialOf(config) };
}

function credentialOf(config: HttpConfig): Readonly<Record<string, string>> {
  switch (config.auth) {
    case "bearer":
      return { authorization: `Bearer ${config.bearer_token ?? ""}` };
    case "basic":
      return { authorization: `Basic ${basicOf(config)}` };
    case "api_key":
      return { [config.api_key_header]: config.api_key ?? "" };
    case "none":
    case "signature":
      return {};
  }
}

interface Signed {
  readonly key: string;
  readonly body: string;
  readonly now: number;
}

/** As Standard Webhooks says: HMAC-SHA256 over the id, the second and the body as it is sent. */
function signatureOf({ signing_secret: secret }: HttpConfig, { key, body, now }: Signed): Record<string, string> {
  if (secret === undefined) return {};
  const timestamp = String(Math.floor(now / 1000));
  const hmac = createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"));
  const signature = hmac.update(`${key}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": key, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Where services usually put what went wrong. */
const usualPlaces = ["/message", "/error/message", "/error", "/detail", "/title"];

/** What a service says in a failure, from where most of them put it. Undefined: nothing that is known. */
export function failureOf({ body }: FailedResponse): FailureHint | undefined {
  const told = parsed(body);
  const message = usualPlaces.map((place) => textAt(told, place)).find((words) => words !== undefined);
  return message === undefined ? undefined : { message };
}
