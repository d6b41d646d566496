/**
 * A Slack workspace in memory: the Web API for a bot token, and incoming webhooks. Like Slack it refuses with 200 and
 * `ok: false`, cuts a long text without a word, and posts a message again that is sent again.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { readPayload } from "./sandbox/payload.ts";
import { RateWindow } from "../../src/rate-window.ts";
import { type SandboxChannel, Workspace } from "./sandbox/workspace.ts";

/** What the workspace has from the start. */
const seedSchema = z.object({
  team: z.string().default("Sandbox"),
  /** None given: any token but those that begin with "xoxb-unknown". */
  tokens: z.array(z.string()).optional(),
  scopes: z.array(z.string()).default(["chat:write", "chat:write.public", "channels:read", "groups:read"]),
  /** The paths of webhooks, and where each posts to. None given: any path below /services/, into the first channel. */
  webhooks: z.record(z.string(), z.string()).optional(),
  channels: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        is_private: z.boolean().default(false),
        is_archived: z.boolean().default(false),
        is_member: z.boolean().default(false),
      }),
    )
    .default([
      { id: "C0GENERAL01", name: "general", is_private: false, is_archived: false, is_member: true },
      { id: "C0SALES0001", name: "sales", is_private: false, is_archived: false, is_member: false },
    ]),
});

type Seed = z.output<typeof seedSchema>;

function refused(error: string, more: Readonly<Record<string, unknown>> = {}): SandboxResponse {
  return { status: 200, body: { ok: false, error, ...more } };
}

const limited: SandboxResponse = {
  status: 429,
  headers: { "retry-after": "1" },
  body: { ok: false, error: "ratelimited" },
};

/** Failures in Slack's form, by name. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  rate_limit: limited,
  rate_limit_with_200: { ...refused("ratelimited"), headers: { "retry-after": "9" } },
  token_revoked: refused("token_revoked"),
  internal_error: refused("internal_error"),
  fatal_error: refused("fatal_error"),
  restricted_action: refused("restricted_action"),
  webhook_archived: { status: 410, body: "channel_is_archived" },
  webhook_prohibited: { status: 403, body: "action_prohibited" },
  webhook_gone: { status: 404, body: "no_service" },
};

const createSandbox: CreateSandbox = ({ limits = true, seed = {}, now = Date.now } = {}) => {
  const account = seedSchema.parse(seed);
  let workspace = new Workspace(account.channels, now);
  let windows = new Map<string, RateWindow>();
  /** One message a second for a channel; Slack lets short bursts pass, which nobody may count on. */
  const enter = (channel: string): boolean => {
    if (!limits) return true;
    const window = windows.get(channel) ?? new RateWindow(1, 1000, now);
    windows.set(channel, window);
    return window.enter();
  };
  return {
    failures,
    contents: () => workspace.contents(),
    reset: () => {
      workspace = new Workspace(account.channels, now);
      windows = new Map();
    },
    // An answer is about one message, so one that leaves some out says nothing, and none has an order.
    distort: (kind, response) => (kind === "shuffle" ? response : { status: 200, body: { ok: true } }),
    handle: (request) => {
      if (request.path.startsWith("/services/")) return webhook(request, { account, workspace, enter });
      return webApi(request, { account, workspace, enter });
    },
  };
};

export default createSandbox;

interface Place {
  readonly account: Seed;
  readonly workspace: Workspace;
  readonly enter: (channel: string) => boolean;
}

const neededScopes: Readonly<Record<string, string>> = {
  public_channel: "channels:read",
  private_channel: "groups:read",
};

function webApi(request: SandboxRequest, place: Place): SandboxResponse {
  const [, method = ""] = /^\/api\/([\w.]+)$/.exec(request.path) ?? [];
  const call = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (!request.path.startsWith("/api/")) return { status: 404, body: "Not Found" };
  if (!call) return refused("unknown_method");
  const [, token] = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "") ?? [];
  if (token === undefined) return refused("not_authed");
  const { tokens } = place.account;
  const known = tokens ? tokens.includes(token) : token.startsWith("xoxb-") && !token.startsWith("xoxb-unknown");
  return known ? call(request, place) : refused("invalid_auth");
}

const methods: Readonly<Record<string, (request: SandboxRequest, place: Place) => SandboxResponse>> = {
  "auth.test": (_request, { account }) => ({
    status: 200,
    body: { ok: true, url: "https://sandbox.slack.com/", team: account.team, user: "sluice", team_id: "T0SANDBOX01" },
  }),
  "conversations.list": (request, { account, workspace }) => {
    const types = (request.query["types"] ?? "public_channel").split(",");
    const needed = types.map((type) => neededScopes[type] ?? "").find((scope) => !account.scopes.includes(scope));
    if (needed !== undefined) return refused("missing_scope", { needed, provided: account.scopes.join(",") });
    return page(workspace.list(types), request.query);
  },
  "chat.postMessage": postMessage,
};

function page(list: readonly SandboxChannel[], query: SandboxRequest["query"]): SandboxResponse {
  const start = Number(query["cursor"] ?? 0);
  const end = start + Math.min(Number(query["limit"] ?? 100), 999);
  const cursor = end < list.length ? String(end) : "";
  return {
    status: 200,
    body: { ok: true, channels: list.slice(start, end), response_metadata: { next_cursor: cursor } },
  };
}

function postMessage({ body }: SandboxRequest, { account, workspace, enter }: Place): SandboxResponse {
  if (!account.scopes.includes("chat:write")) return refused("missing_scope", { needed: "chat:write" });
  const payload = readPayload(body);
  if ("error" in payload) return refused(payload.error);
  const channel = workspace.find(payload.channel ?? "");
  if (!channel) return refused("channel_not_found");
  if (channel.is_archived) return refused("is_archived");
  if (!channel.is_member && !account.scopes.includes("chat:write.public")) return refused("not_in_channel");
  const { text = "", blocks, thread_ts: thread } = payload;
  if (thread !== undefined && !workspace.has(channel.id, thread)) return refused("thread_not_found");
  if (!enter(channel.id)) return limited;
  const posted = workspace.post(channel.id, {
    text,
    ...(blocks === undefined ? {} : { blocks }),
    ...(thread === undefined ? {} : { thread_ts: thread }),
  });
  return { status: 200, body: { ok: true, channel: channel.id, ts: posted.ts, message: { text, type: "message" } } };
}

/** A webhook answers with a word: `ok`, or what is wrong. */
function webhook({ path, method, body }: SandboxRequest, { account, workspace, enter }: Place): SandboxResponse {
  const { webhooks, channels } = account;
  const target = webhooks ? webhooks[path] : channels[0]?.id;
  if (target === undefined) return { status: 404, body: "no_service" };
  const payload = method === "POST" ? readPayload(body) : { error: "invalid_payload" };
  if ("error" in payload) return { status: 400, body: payload.error };
  if (!enter(target)) return limited;
  const { text = "", blocks, thread_ts: thread } = payload;
  workspace.post(target, {
    text,
    ...(blocks === undefined ? {} : { blocks }),
    ...(thread === undefined ? {} : { thread_ts: thread }),
  });
  return { status: 200, body: "ok" };
}
