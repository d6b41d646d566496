/** What Slack refuses of Block Kit, found before it is sent: Slack says only `invalid_blocks`. */
import { z } from "zod";
import type { Value } from "../../src/destination.ts";

type Block = z.output<typeof blockSchema>;

const blockSchema = z.looseObject({ type: z.string().min(1), block_id: z.string().max(255).optional() });

/** A text object of at most so many characters. */
function words(most: number, type: z.ZodType<string> = z.enum(["plain_text", "mrkdwn"])): z.ZodType {
  return z.looseObject({ type, text: z.string().min(1).max(most) });
}

const plain = z.literal("plain_text");

/** Where a picture is: at an address, or in a file that Slack has. */
const picture = z
  .looseObject({
    image_url: z.url().max(3000).optional(),
    slack_file: z.unknown().optional(),
    alt_text: z.string().min(1).max(2000),
  })
  .refine((image) => (image.image_url === undefined) !== (image.slack_file === undefined), "image_url or slack_file");

/** The blocks whose limits are checked. Others go as they are: Slack adds kinds faster than this list. */
const kinds: Readonly<Record<string, z.ZodType>> = {
  section: z
    .looseObject({ text: words(3000).optional(), fields: z.array(words(2000)).min(1).max(10).optional() })
    .refine((section) => section.text !== undefined || section.fields !== undefined, "text or fields is needed"),
  header: z.looseObject({ text: words(150, plain) }),
  context: z.looseObject({
    elements: z
      .array(z.looseObject({ type: z.string() }))
      .min(1)
      .max(10),
  }),
  actions: z.looseObject({
    elements: z
      .array(z.looseObject({ type: z.string() }))
      .min(1)
      .max(25),
  }),
  image: picture,
  markdown: z.looseObject({ text: z.string().min(1).max(12_000) }),
  rich_text: z.looseObject({ elements: z.array(z.looseObject({ type: z.string() })) }),
};

/** Why Slack would refuse these blocks; undefined when nothing speaks against them. */
export function flawInBlocks(blocks: Value): string | undefined {
  const parsed = z.array(blockSchema).min(1).max(50).safeParse(blocks);
  if (!parsed.success) return sayIssue(parsed.error);
  return flawInEach(parsed.data) ?? repeatedId(parsed.data);
}

function flawInEach(blocks: readonly Block[]): string | undefined {
  for (const [at, block] of blocks.entries()) {
    const parsed = kinds[block.type]?.safeParse(block);
    if (parsed?.success === false) return `Block ${at + 1} (${block.type}): ${sayIssue(parsed.error)}`;
  }
  return undefined;
}

function repeatedId(blocks: readonly Block[]): string | undefined {
  const ids = blocks.flatMap(({ block_id: id }) => (id === undefined ? [] : [id]));
  return new Set(ids).size === ids.length ? undefined : "Two blocks have the same block_id.";
}

function sayIssue({ issues: [issue] }: z.ZodError): string {
  if (!issue) return "not Block Kit.";
  const path = issue.path.map(String).join(".");
  return `${path === "" ? "" : `${path}: `}${issue.message}.`;
}
