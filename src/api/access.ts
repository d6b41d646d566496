/** Every route under /v1 says which scope it needs; who has less is refused, and what is changed or refused is noted. */
import type { FastifyRequest } from "fastify";
import { type Access, AccessError, type Identity, requireScope } from "../security/access.ts";
import type { Scope } from "../security/key.ts";
import type { Api } from "./route.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a key must be allowed for this route. */
    scope?: Scope;
  }
  interface FastifyRequest {
    identity: Identity | null;
    /** What the audit log is to say of it besides method, path and status. */
    noted: unknown;
  }
}

/** Who a request is from, for histories. */
export function authorOf({ identity }: FastifyRequest): string {
  return identity?.actor ?? "nobody";
}

export interface Noted {
  readonly actor: string;
  readonly address: string;
  readonly action: string;
  readonly status: number;
  readonly detail: unknown;
}

/** Refusals of requests without a right key that are noted in a minute: who has none must not fill the audit log. */
const notedPerMinute = 100;

/** Guards all routes that are added afterwards. A route under /v1 that names no scope is a mistake, told at start. */
export function guard(api: Api, access: Access, note: (entry: Noted) => Promise<void>): void {
  api.decorateRequest("identity", null);
  api.decorateRequest("noted", undefined);
  api.addHook("onRoute", ({ url, config }) => {
    if (url.startsWith("/v1/") && config?.scope === undefined)
      throw new Error(`${url} does not say what scope it needs`);
  });
  api.addHook("onRequest", async (request) => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined) return;
    request.identity = await access.identify({ authorization: request.headers.authorization, address: request.ip });
    // A page in somebody's browser may ask a service on their machine, whose key-less answers it is not to have.
    if (request.identity.actor === "anyone") requireNoPage(request);
    requireScope(request.identity, scope);
  });
  const mayNoteStranger = atMost(notedPerMinute);
  api.addHook("onResponse", async (request, { statusCode: status }) => {
    const { scope } = request.routeOptions.config;
    const isRefusal = status === 401 || status === 403 || status === 429;
    if (scope === undefined || (request.method === "GET" && !isRefusal)) return;
    if (request.identity === null && !mayNoteStranger()) return;
    const [path = ""] = request.url.split("?");
    const { identity, ip: address, noted: detail } = request;
    const entry = { actor: identity?.actor ?? "nobody", address, action: `${request.method} ${path}`, status, detail };
    await note(entry).catch((error: unknown) => request.log.error(error));
  });
}

/** Says yes so many times a minute. */
function atMost(times: number): () => boolean {
  let [left, until] = [times, 0];
  return () => {
    const now = performance.now();
    if (now >= until) [left, until] = [times, now + 60_000];
    left -= 1;
    return left >= 0;
  };
}

function requireNoPage({ headers }: FastifyRequest): void {
  const host = /^(?<name>\[[^\]]*\]|[^:]*)/.exec(headers.host ?? "")?.groups?.["name"] ?? "";
  if (headers.origin === undefined && ["127.0.0.1", "localhost", "[::1]"].includes(host)) return;
  throw new AccessError(
    403,
    "page_refused",
    "While there are no API keys, only programs on this machine may ask, not pages in a browser.",
    'Make a key: "sluice keys create NAME --scope admin".',
  );
}
