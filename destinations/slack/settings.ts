/** `to.settings` of a sync to Slack. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

const digest = z.strictObject({
  title: z.string().min(1).max(1000).optional().meta({ description: "The first line of each digest." }),
  rows: z.int().min(1).max(200).default(50).meta({ description: "The most rows in one message." }),
});

const schema = z.strictObject({
  channel: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "The ID or name of the channel, unless a field `channel` is mapped. Not with a webhook." }),
  thread_ts: z
    .string()
    .regex(/^\d{10}\.\d{6}$/, "the time stamp of a message, such as 1700000000.123456")
    .optional()
    .meta({ description: "The message that all messages reply to, unless a field `thread_ts` is mapped." }),
  digest: digest
    .optional()
    .meta({ description: "One message for many rows: each row's `text` is a line of it. Absent: one message a row." }),
  markup: z.boolean().default(true).meta({
    description: "Whether text may have Slack's markup, such as *bold* and <https://…|links>. False: shown as it is.",
  }),
  broadcasts: z.boolean().default(false).meta({
    description: "Whether <!channel>, <!here>, <!everyone> and user groups in a row may notify everyone.",
  }),
  unfurl: z.boolean().default(false).meta({ description: "Whether Slack shows previews of links." }),
});

export type SlackSettings = z.output<typeof schema>;

/** Throws `refused` for settings that are wrong, saying which. `sender`: a webhook has its channel already. */
export function parseSettings(settings: ObjectSettings, sender: "bot" | "webhook"): SlackSettings {
  const parsed = schema.safeParse(settings);
  if (!parsed.success) {
    const words = parsed.error.issues
      .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
      .join("; ");
    throw wrong(words);
  }
  if (sender === "webhook" && parsed.data.channel !== undefined)
    throw wrong("to.settings.channel: an incoming webhook posts to its own channel only. Use a bot token.");
  return parsed.data;
}

function wrong(words: string): DestinationError {
  return new DestinationError("refused", `The settings of message are wrong. ${words}`, {
    code: "settings_invalid",
    applied: "no",
  });
}
