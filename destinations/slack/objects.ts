/** What Slack takes: messages, one for a row or one for many. */
import {
  DestinationError,
  type Field,
  type FieldOption,
  type ObjectDescription,
  type ObjectSummary,
} from "../../src/destination.ts";
import type { SlackSettings } from "./settings.ts";

export const message: ObjectSummary = { name: "message", title: "Messages" };

/** Slack cuts a longer text without a word. */
export const mostCharacters = 40_000;

/** A message that is posted again is one more message, whatever it says. */
const idempotent = { upsert: false, update: false, insert: false, mirror: false, append: false } as const;

/** Throws `refused` with code `unknown_object` for any object but the one there is. */
export function checkObject(name: string): void {
  if (name === message.name) return;
  const words = `Slack has no object "${name}". There are: ${message.name}.`;
  throw new DestinationError("refused", words, { code: "unknown_object", applied: "no" });
}

/** What a sync with these settings can send. `channels`: those that the bot can see, as far as it may look. */
export function describeMessage(
  settings: SlackSettings,
  sender: "bot" | "webhook",
  channels: readonly FieldOption[] | undefined,
): ObjectDescription {
  const { digest } = settings;
  return {
    ...message,
    modes: ["append"],
    removals: [],
    // A request posts one message, so a batch is a message: what became of one says nothing of another.
    batch: { records: digest?.rows ?? 1, ...(digest ? { bytes: mostCharacters } : {}) },
    matchFields: 1,
    idempotent,
    fields: [rowId, ...(digest ? [line] : fieldsOfMessage(settings, sender, channels))],
  };
}

/** Only as the match: the planner then sees to it that a row is told once. Slack never gets it. */
const rowId: Field = { name: "id", title: "The row's own ID", type: "text", writable: false, matches: true };

const text: Field = {
  name: "text",
  title: "Text",
  type: "text",
  writable: true,
  matches: false,
  maxLength: mostCharacters,
};

const line: Field = { ...text, title: "The row's line", required: true };

function fieldsOfMessage(
  settings: SlackSettings,
  sender: "bot" | "webhook",
  channels: readonly FieldOption[] | undefined,
): readonly Field[] {
  const channel: Field = {
    name: "channel",
    title: "ID or name of the channel",
    type: "text",
    writable: true,
    matches: false,
    // Without a channel for all, every row needs its own.
    required: settings.channel === undefined,
    ...(channels ? { options: channels } : {}),
  };
  return [
    text,
    { name: "blocks", title: "Block Kit", type: "json", writable: true, matches: false },
    { name: "thread_ts", title: "Time stamp of the message replied to", type: "text", writable: true, matches: false },
    ...(sender === "bot" ? [channel] : []),
  ];
}
