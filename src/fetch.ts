/**
 * The one outbound HTTP client. It dials checked addresses only, follows no redirect, bounds time and size, and turns
 * every answer that is not about records into a classified DestinationError, with secrets masked.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Agent, buildConnector, request } from "undici";
import { AddressGuard, RefusedAddress } from "./address-guard.ts";
import {
  type Context,
  type DestinationAdapter,
  DestinationError,
  type DestinationErrorKind,
  type FailedResponse,
  type FailureHint,
} from "./destination.ts";
import { messageOf } from "./errors.ts";

export interface FetchOptions {
  /** The destination's name, for messages. */
  readonly name: string;
  /** What it is that has the name. Default: a destination. */
  readonly kind?: "destination" | "notification";
  readonly adapter: Pick<DestinationAdapter, "title" | "failure">;
  /** Texts that must never appear in a message. */
  readonly secrets: readonly string[];
  /** Hosts and CIDR ranges that may be reached although they are private; `*` allows all. */
  readonly allowed: readonly string[];
  readonly clock: { now(): Date };
  /** From the first byte sent to the last byte read. */
  readonly timeoutMs?: number;
  /** The most bytes that an answer may have. */
  readonly maxBytes?: number;
  /** All addresses of a name. Default: as the system resolves it. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

export interface OutboundClient {
  readonly fetch: Context["fetch"];
  close(): Promise<void>;
}

/** A client for one destination, with connections of its own. */
export function createFetch(options: FetchOptions): OutboundClient {
  const guard = new AddressGuard(options.allowed);
  const connect = guardedConnector(guard, options.resolve ?? resolveAddresses);
  const agent = new Agent({ connect, keepAliveTimeout: 30_000 });
  return {
    fetch: (url, init = {}) => send(new URL(url), init, { ...options, guard, agent }),
    close: () => agent.close(),
  };
}

interface Sender extends FetchOptions {
  readonly guard: AddressGuard;
  readonly agent: Agent;
}

/** Resolves the name, checks every address, and dials those that were checked: a second lookup could answer otherwise. */
function guardedConnector(
  guard: AddressGuard,
  resolve: (name: string) => Promise<readonly string[]>,
): buildConnector.connector {
  // Said here, so that no setting of the process lets an unproven server have the credential.
  const tls = { rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;
  const connector = buildConnector({ timeout: 10_000, allowH2: false, ...tls });
  return (options, callback) => {
    const name = options.hostname.replace(/^\[|\]$/g, "");
    const servername = options.servername ?? (isIP(name) === 0 ? name : undefined);
    const dial = ([address, ...others]: readonly [string, ...string[]]): void => {
      const [next, ...rest] = others;
      connector(
        { ...options, hostname: address, ...(servername === undefined ? {} : { servername }) },
        // The first address may be one that this machine has no way to, such as IPv6.
        (...answer) => (answer[0] === null || next === undefined ? callback(...answer) : dial([next, ...rest])),
      );
    };
    resolve(name)
      .then((addresses) => guard.check(name, addresses))
      .then(dial, (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null));
  };
}

/** All addresses of a name, as the system resolves it; an address is its own. */
export async function resolveAddresses(name: string): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name];
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

async function send(url: URL, init: RequestInit, sender: Sender): Promise<Response> {
  const { maxBytes = 10 * 1024 * 1024, timeoutMs = 30_000, guard, agent } = sender;
  const refusal = guard.refusal(url);
  if (refusal) throw refusedAddress(refusal, sender);
  const asked = await toAsked(url, init, sender);
  const deadline = deadlineOf(timeoutMs, init.signal ?? undefined);
  try {
    const answer = await request(url, {
      method: asked.method as "GET",
      headers: Object.fromEntries(asked.headers),
      body: asked.body,
      signal: deadline.signal,
      dispatcher: agent,
    });
    const { statusCode: status } = answer;
    const body = await readWhole(answer.body, maxBytes);
    const headers = toHeaders(answer.headers);
    const failure = failureByStatus(status) && classify({ status, headers, body: body.toString() }, asked, sender);
    if (failure) throw failure;
    return new Response(shown(status, body, sender), { status, headers });
  } catch (error) {
    init.signal?.throwIfAborted();
    throw error instanceof DestinationError ? error : broken(error, asked, sender);
  } finally {
    deadline.release();
  }
}

/** A request as it goes out. */
interface Asked {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | Uint8Array | null;
}

/** The request with the headers that the web's fetch gives a body. The cause is not told: it repeats the header. */
async function toAsked(url: URL, init: RequestInit, sender: Sender): Promise<Asked> {
  const { method = "GET", headers = {}, body = null } = init;
  try {
    if (typeof body === "string") return { url, method: method.toUpperCase(), headers: ofText(headers), body };
    const whole = new Request(url, { method, headers, body });
    const bytes = body === null ? null : new Uint8Array(await whole.arrayBuffer());
    return { url, method: whole.method, headers: whole.headers, body: bytes };
  } catch {
    const message = `${capitalized(called(sender))} cannot be asked: a header has a character that cannot be sent, such as a line break in a token.`;
    throw new DestinationError("unauthorized", message, { code: "header_invalid", applied: "no" });
  }
}

/** Nearly every body is a text: it need not go through a stream to become bytes. */
function ofText(headers: NonNullable<RequestInit["headers"]>): Headers {
  const all = new Headers(headers);
  if (!all.has("content-type")) all.set("content-type", "text/plain;charset=UTF-8");
  return all;
}

interface Deadline {
  readonly signal: AbortSignal;
  release(): void;
}

/** Ends when the time is over or `outer` ends. A signal for each, joined to one, would cost more than the request itself. */
function deadlineOf(timeoutMs: number, outer: AbortSignal | undefined): Deadline {
  const cut = new AbortController();
  const onOuter = (): void => cut.abort(outer?.reason);
  if (outer?.aborted === true) onOuter();
  outer?.addEventListener("abort", onOuter, { once: true });
  const timer = setTimeout(() => cut.abort(new DOMException("no answer in time", "TimeoutError")), timeoutMs).unref();
  return {
    signal: cut.signal,
    release: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", onOuter);
    },
  };
}

async function readWhole(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as it is given on. A vendor that refuses may repeat what it was sent. */
function shown(status: number, body: Buffer<ArrayBuffer>, { secrets }: Sender): Buffer<ArrayBuffer> | string | null {
  if (body.byteLength === 0) return null;
  return status >= 400 ? mask(body.toString(), secrets) : body;
}

function toHeaders(given: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    for (const one of [value].flat()) if (one !== undefined) headers.append(name, one);
  }
  return headers;
}

/** What an answer's status says by itself. Undefined: it is about the records, and the adapter's to read. */
function failureByStatus(status: number): { kind: DestinationErrorKind; applied: "no" | "unknown" } | undefined {
  if (status === 401 || status === 403) return { kind: "unauthorized", applied: "no" };
  if (status === 423 || status === 425 || status === 429) return { kind: "busy", applied: "no" };
  if (status === 408 || status === 477 || status >= 500) return { kind: "unavailable", applied: "unknown" };
  if (status >= 300 && status < 400) return { kind: "unauthorized", applied: "no" };
  return undefined;
}

function classify(response: FailedResponse, asked: Asked, sender: Sender): DestinationError | undefined {
  const byStatus = failureByStatus(response.status);
  if (!byStatus) return undefined;
  const { status } = response;
  const hint: FailureHint = sender.adapter.failure?.(response) ?? {};
  const kind = hint.kind ?? byStatus.kind;
  const applied = kind === "busy" || onlyReads(asked) ? "no" : byStatus.applied;
  const words = clean(hint.message ?? response.body, sender.secrets);
  const retryAfterMs = hint.retryAfterMs ?? retryAfter(response.headers.get("retry-after"), sender.clock.now());
  const message = `${sender.adapter.title} (${called(sender)}, ${asked.url.host}) ${sentences[kind]} (${status})${words === "" ? "" : `: ${words}`}`;
  return new DestinationError(kind, message, { code: hint.code ?? `http_${status}`, applied, status, retryAfterMs });
}

function onlyReads({ method }: Asked): boolean {
  return method === "GET" || method === "HEAD";
}

const sentences: Readonly<Record<DestinationErrorKind, string>> = {
  unauthorized: "refused the credential or the right to do this",
  busy: "asks to wait",
  unavailable: "failed",
  refused: "refused the request",
};

/** The wait that a Retry-After header asks for: seconds or a date. Undefined for none and for nonsense. */
export function retryAfter(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfterMs);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  // The oldest of the three forms of a date names no zone; all are in GMT.
  const at = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now.getTime()), maxRetryAfterMs);
}

/** No vendor asks for more than a day in earnest. */
const maxRetryAfterMs = 86_400_000;

/** Codes of failures that certainly came before the request was sent. */
const unsent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function broken(error: unknown, asked: Asked, sender: Sender): DestinationError {
  if (error instanceof RefusedAddress) return refusedAddress(error, sender);
  const code = codeOf(error);
  const applied = onlyReads(asked) || (code !== undefined && unsent.has(code)) ? "no" : "unknown";
  const words =
    error instanceof Error && error.name === "TimeoutError"
      ? "no answer in time"
      : clean(messageOf(error) || (code ?? ""), sender.secrets);
  const message = `${sender.adapter.title} (${called(sender)}) could not be reached at ${asked.url.host}: ${words}`;
  return new DestinationError("unavailable", message, { code: "unreachable", applied, cause: error });
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return "cause" in error ? codeOf(error.cause) : undefined;
}

/** An address that may not be dialled. */
export function refusedAddress(error: RefusedAddress, sender: Called): DestinationError {
  const message = `${capitalized(called(sender))} may not be reached: ${error.message}`;
  return new DestinationError("unauthorized", message, { code: "address_refused", applied: "no", cause: error });
}

/** What is needed to name whoever is asked. */
export type Called = Pick<FetchOptions, "kind" | "name">;

export function called({ kind = "destination", name }: Called): string {
  return `${kind} "${name}"`;
}

function capitalized(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A vendor's words as one short line without secrets and without control characters. */
function clean(words: string, secrets: readonly string[]): string {
  return legible(words, secrets).slice(0, 500);
}

/** Words on one line, without secrets and without what would steer a terminal or forge a line of the log. */
export function legible(words: string, secrets: readonly string[]): string {
  return mask(words, secrets)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ")
    .trim();
}

function mask(text: string, secrets: readonly string[]): string {
  // Longest first: one that begins like another would leave its end to be read.
  const longestFirst = secrets.toSorted((one, other) => other.length - one.length);
  return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, "[redacted]"), text);
}
