/** Changes as Slack's messages. What Slack would refuse, cut or turn into a call for everyone is found here. */
import {
  type Change,
  DestinationError,
  type DestinationRecord,
  type Outcome,
  type Value,
} from "../../src/destination.ts";
import { flawInBlocks } from "./blocks.ts";
import { mostCharacters } from "./objects.ts";
import type { SlackSettings } from "./settings.ts";

/** The body of a request. A webhook's has no channel. */
export interface Message {
  readonly channel?: string;
  readonly text?: string;
  readonly blocks?: Value;
  readonly thread_ts?: string;
  readonly mrkdwn: boolean;
  readonly unfurl_links: boolean;
  readonly unfurl_media: boolean;
}

export type Rejection = Extract<Outcome, { kind: "rejected" }>;

/** Carries the reason out of the pure functions below. */
class Unsendable extends Error {
  readonly code: string;
  readonly field: string;
  constructor(code: string, message: string, field: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

/** The message of one row, or why there is none. */
export function toMessage(
  { seq, record }: Change,
  settings: SlackSettings,
  sender: "bot" | "webhook",
): Message | Rejection {
  return sendable(seq, () => {
    const text = textOf(record, settings);
    const blocks = blocksOf(record["blocks"] ?? null, settings);
    if (text === "" && blocks === undefined)
      throw new Unsendable(
        "no_text",
        "The row has neither a text nor blocks, and Slack posts no empty message.",
        "text",
      );
    return {
      ...(sender === "bot" ? { channel: channelOf(record, settings) } : {}),
      ...(text === "" ? {} : { text }),
      ...(blocks === undefined ? {} : { blocks }),
      ...threadOf(record, settings),
      ...manner(settings),
    };
  });
}

export interface Digest {
  /** Undefined: no row has a line. */
  readonly message: Message | undefined;
  /** The rows that the message tells. */
  readonly seqs: readonly number[];
  readonly rejected: readonly Rejection[];
}

/** One message with a line for each row. Throws `refused` when it is too long: the service sends it as two. */
export function toDigest(changes: readonly Change[], settings: SlackSettings, sender: "bot" | "webhook"): Digest {
  const lines = changes.map(({ seq, record }) => sendable(seq, () => ({ seq, line: lineOf(record, settings) })));
  const rejected = lines.filter((one): one is Rejection => "kind" in one);
  const told = lines.flatMap((one) => ("line" in one ? [one] : []));
  const text = [settings.digest?.title ?? [], told.map(({ line }) => line)].flat(2).join("\n");
  if (told.length === 0) return { message: undefined, seqs: [], rejected };
  if (text.length > mostCharacters) {
    const words = `A digest of ${told.length} rows has ${text.length} characters; Slack cuts it at ${mostCharacters}.`;
    throw new DestinationError("refused", words, { code: "text_too_long", applied: "no", field: "text" });
  }
  const channel = sender === "bot" ? { channel: channelOf({}, settings) } : {};
  return {
    message: { ...channel, text, ...threadOf({}, settings), ...manner(settings) },
    seqs: told.map(({ seq }) => seq),
    rejected,
  };
}

function sendable<Sendable>(seq: number, make: () => Sendable): Sendable | Rejection {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Unsendable)) throw error;
    return { seq, kind: "rejected", code: error.code, message: error.message, field: error.field };
  }
}

function lineOf(record: DestinationRecord, settings: SlackSettings): string {
  const text = textOf(record, settings);
  if (text.trim() === "") throw new Unsendable("no_text", "The row has no text for its line of the digest.", "text");
  return text;
}

function textOf(record: DestinationRecord, { markup, broadcasts }: SlackSettings): string {
  const given = textValue(record, "text");
  const escaped = markup ? given : given.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const text = broadcasts ? escaped : withoutBroadcasts(escaped);
  if (text.length <= mostCharacters) return text.trim() === "" ? "" : text;
  const words = `The text has ${text.length} characters; Slack cuts it at ${mostCharacters}.`;
  throw new Unsendable("text_too_long", words, "text");
}

function blocksOf(blocks: Value, { broadcasts }: SlackSettings): Value | undefined {
  if (blocks === null) return undefined;
  const sent = broadcasts ? blocks : inEveryText(blocks);
  const flaw = flawInBlocks(sent);
  if (flaw !== undefined) throw new Unsendable("invalid_blocks", `Slack would refuse the blocks. ${flaw}`, "blocks");
  if (!broadcasts && hasBroadcastElement(sent))
    throw new Unsendable(
      "broadcast_forbidden",
      "The blocks would notify everyone. Set broadcasts: true to allow it.",
      "blocks",
    );
  return sent;
}

/** A row's data must not call a whole channel: shown as it stands instead. */
function withoutBroadcasts(text: string): string {
  return text.replaceAll(/<(?=!(?:channel|here|everyone|subteam\^))/g, "&lt;");
}

function inEveryText(value: Value): Value {
  if (typeof value === "string") return withoutBroadcasts(value);
  if (Array.isArray(value)) return value.map((one: Value) => inEveryText(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]): [string, Value] => [name, inEveryText(one)]));
}

/** Rich text calls a channel by an element, not by its text. */
function hasBroadcastElement(value: Value): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("type" in value && (value.type === "broadcast" || value.type === "usergroup")) return true;
  return Object.values(value).some((one: Value) => hasBroadcastElement(one));
}

function channelOf(record: DestinationRecord, settings: SlackSettings): string {
  const channel = textValue(record, "channel") || (settings.channel ?? "");
  if (channel === "")
    throw new Unsendable("channel_missing", "The row names no channel, and nor do the settings.", "channel");
  if (/^#?[^\s#@,]{1,80}$/u.test(channel)) return channel;
  throw new Unsendable(
    "channel_invalid",
    "Not the ID or the name of a channel, such as C0123456789 or #sales.",
    "channel",
  );
}

function threadOf(record: DestinationRecord, settings: SlackSettings): Pick<Message, "thread_ts"> {
  const thread = textValue(record, "thread_ts") || settings.thread_ts;
  if (thread === undefined) return {};
  if (/^\d{10}\.\d{6}$/.test(thread)) return { thread_ts: thread };
  const words = "Not the time stamp of a message, such as 1700000000.123456, with all its digits.";
  throw new Unsendable("thread_invalid", words, "thread_ts");
}

function manner({ markup, unfurl }: SlackSettings): Pick<Message, "mrkdwn" | "unfurl_links" | "unfurl_media"> {
  return { mrkdwn: markup, unfurl_links: unfurl, unfurl_media: unfurl };
}

function textValue(record: DestinationRecord, field: string): string {
  const value = record[field] ?? "";
  if (typeof value === "string") return value;
  throw new Unsendable("not_text", `The value of ${field} is not text.`, field);
}
