/** Slack as the adapter calls it: the Web API with a bot token, or one incoming webhook. */
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { type Answer, bodyOf, idOfPosted, isWebhookThere, webhookPosted } from "./answers.ts";
import type { Message } from "./messages.ts";

export interface SlackConfig {
  readonly bot_token?: string | undefined;
  readonly webhook_url?: string | undefined;
  readonly base_url?: string | undefined;
  readonly messages_per_second: number;
}

export interface Channel {
  readonly id: string;
  readonly name: string;
}

export type Receipt = { readonly posted: true; readonly id: string | undefined } | { readonly posted: false };

export interface SlackApi {
  readonly sender: "bot" | "webhook";
  /** Who posts, as Slack knows it. Posts nothing. */
  account(signal?: AbortSignal): Promise<string>;
  /** The channels that the token may see, and whether these are all. Undefined: it may not look. */
  channels(signal?: AbortSignal): Promise<{ readonly list: readonly Channel[]; readonly all: boolean } | undefined>;
  /** Posts one message. `posted: false`: the answer does not say that it is there. Throws when it was refused. */
  post(message: Message, signal?: AbortSignal): Promise<Receipt>;
}

export function openApi(
  { bot_token: token, webhook_url: webhook, base_url: base }: SlackConfig,
  { fetch }: Context,
): SlackApi {
  if (token !== undefined) return botApi(token, base ?? "https://slack.com", fetch);
  return webhookApi(webhookAddress(webhook ?? "", base), fetch);
}

/** A webhook's own address, or the same below another base: what makes it secret is its path. */
function webhookAddress(webhook: string, base: string | undefined): URL {
  const given = new URL(webhook);
  return base === undefined ? given : below(base, given.pathname.slice(1));
}

const accountSchema = z.object({ ok: z.literal(true), team: z.string(), user: z.string() });

function botApi(token: string, base: string, fetch: Context["fetch"]): SlackApi {
  const call = async (path: string, body: Message | undefined, signal?: AbortSignal): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}` };
    return bodyOf(await ask(fetch, below(base, `api/${path}`), { headers, body, signal }));
  };
  return {
    sender: "bot",
    account: async (signal) => {
      const account = accountSchema.safeParse(await call("auth.test", undefined, signal)).data;
      if (account) return `${account.team}, as ${account.user}`;
      throw unclear("Slack did not tell whose token this is.");
    },
    channels: async (signal) =>
      (await listChannels("public_channel,private_channel", call, signal)) ??
      (await listChannels("public_channel", call, signal)),
    post: async (message, signal) => {
      const id = idOfPosted(await call("chat.postMessage", message, signal));
      return id === undefined ? { posted: false } : { posted: true, id };
    },
  };
}

const pageSchema = z.object({
  channels: z.array(z.object({ id: z.string(), name: z.string() })),
  response_metadata: z.object({ next_cursor: z.string().default("") }).optional(),
});

/** More are not read: a list is a hint, and each page takes its share of 20 requests a minute. */
const mostPages = 5;

async function listChannels(
  types: string,
  call: (path: string, body: undefined, signal?: AbortSignal) => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<{ list: readonly Channel[]; all: boolean } | undefined> {
  const list: Channel[] = [];
  let cursor = "";
  for (let pages = 0; pages < mostPages; pages += 1) {
    const query = new URLSearchParams({
      types,
      exclude_archived: "true",
      limit: "999",
      ...(cursor === "" ? {} : { cursor }),
    });
    const body = await call(`conversations.list?${query.toString()}`, undefined, signal).catch(unlessForbidden);
    if (body === undefined) return undefined;
    const page = pageSchema.safeParse(body).data;
    if (!page) throw unclear("Slack answered a list of channels with something else.");
    list.push(...page.channels);
    cursor = page.response_metadata?.next_cursor ?? "";
    if (cursor === "") return { list, all: types.includes("private_channel") };
  }
  return { list, all: false };
}

/** To post, a token need not be allowed to list. */
function unlessForbidden(error: unknown): undefined {
  if (!(error instanceof DestinationError && error.code === "missing_scope")) throw error;
}

function webhookApi(url: URL, fetch: Context["fetch"]): SlackApi {
  const send = (body: object, signal?: AbortSignal): Promise<Answer> => ask(fetch, url, { headers: {}, body, signal });
  return {
    sender: "webhook",
    account: async (signal) => {
      const answer = await send({}, signal);
      if (isWebhookThere(answer)) return "Slack incoming webhook";
      // Throws for a refusal; a webhook that takes nothing for a message is not Slack's.
      webhookPosted(answer);
      throw unclear("What answered to the webhook's address is not Slack.");
    },
    channels: async () => undefined,
    post: async (message, signal) =>
      webhookPosted(await send(message, signal)) ? { posted: true, id: undefined } : { posted: false },
  };
}

interface Asked {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object | undefined;
  readonly signal: AbortSignal | undefined;
}

async function ask(fetch: Context["fetch"], url: URL, { headers, body, signal }: Asked): Promise<Answer> {
  const init =
    body === undefined
      ? { headers }
      : {
          method: "POST",
          headers: { ...headers, "content-type": "application/json; charset=utf-8" },
          body: JSON.stringify(body),
        };
  const response = await fetch(url, { ...init, ...(signal ? { signal } : {}) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function unclear(words: string): DestinationError {
  return new DestinationError("unavailable", words, { code: "unknown_answer", applied: "unknown" });
}

function below(root: string, path: string): URL {
  return new URL(path, root.endsWith("/") ? root : `${root}/`);
}
