/** What Slack makes of the body of a message: its errors, and the cut of a text that is too long. */
import { z } from "zod";

const payloadSchema = z.object({
  text: z.string().optional(),
  blocks: z.unknown().optional(),
  thread_ts: z.string().optional(),
  channel: z.string().optional(),
});

export type Payload = z.output<typeof payloadSchema>;

/** A payload that can be posted, or Slack's name for what is wrong with it. */
export function readPayload(body: unknown): Payload | { readonly error: string } {
  const payload = payloadSchema.safeParse(body).data;
  if (!payload) return { error: "invalid_arguments" };
  if (payload.blocks !== undefined && !isBlockKit(payload.blocks)) return { error: "invalid_blocks" };
  if ((payload.text ?? "").trim() === "" && payload.blocks === undefined) return { error: "no_text" };
  // Slack posts the beginning, and says nothing of the rest.
  return payload.text === undefined ? payload : { ...payload, text: payload.text.slice(0, 40_000) };
}

const blockSchema = z.looseObject({
  type: z.enum([
    "section",
    "divider",
    "header",
    "context",
    "image",
    "actions",
    "rich_text",
    "markdown",
    "video",
    "input",
  ]),
  text: z.unknown().optional(),
});

function isBlockKit(blocks: unknown): boolean {
  const list = z.array(blockSchema).min(1).max(50).safeParse(blocks).data;
  return list?.every(({ type, text }) => type !== "section" || text === undefined || isText(text, 3000)) ?? false;
}

function isText(text: unknown, most: number): boolean {
  return z.object({ type: z.enum(["mrkdwn", "plain_text"]), text: z.string().min(1).max(most) }).safeParse(text)
    .success;
}
