import { z } from "zod";
import { json, name, text } from "./values.ts";

const memoryLimit = z
  .string()
  .regex(/^\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/i, "A number and a unit, such as 256MB.");

/** A secret is never written out here: only where to read it. */
const variable = z.string().refine((written) => /^\$\{(env|secret):[A-Za-z_][A-Za-z0-9_-]*\}$/.test(written), {
  error: 'a reference: "${env:NAME}" or "${secret:NAME}"',
  params: { secret: true },
});

/** A bucket's settings; `S` says what stands for a secret: its variable as written, its text when it was read. */
const bucket = <S extends z.ZodType<string>>(secret: S) =>
  z.strictObject({
    bucket: text.meta({ description: "The bucket." }),
    prefix: text.optional().meta({ description: "Before every key. Default: none." }),
    region: text.optional().meta({ description: "The region. Default: what the environment says." }),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({ description: "The address of other storage than Amazon's; buckets are then part of the path." }),
    access_key_id: secret.optional().meta({ description: "Default: credentials as every AWS tool finds them." }),
    secret_access_key: secret.optional().meta({ description: "Likewise." }),
  });

/** The same with its variables read. */
export const bucketSchema = bucket(text);

/** Where plan and state of a source's syncs live. */
const planner = z.discriminatedUnion("in", [
  z.strictObject({
    in: z.literal("warehouse").meta({ description: "In the warehouse itself: the diff runs where the data is." }),
    schema: text
      .default("sluice")
      .meta({ description: "The schema for plan and state. The role must be able to write there." }),
  }),
  z.strictObject({
    in: z.literal("local").meta({ description: "In files outside the source, which is then only read." }),
    path: text.optional().meta({
      description:
        "The folder for them, relative to the workspace. Several workers need one that they share. Default: in the data folder.",
    }),
    s3: bucket(variable)
      .optional()
      .meta({ description: "A bucket for them, instead of a folder: S3, or what speaks like it." }),
    memory_limit: memoryLimit
      .default("384MB")
      .meta({ description: "How much memory planning may use; beyond it, it uses files in the data folder." }),
  }),
]);

/** A connection to a warehouse. */
export const sourceSchema = z.strictObject({
  kind: z.literal("source"),
  name: name.meta({ description: "What models call this source." }),
  type: text.meta({ description: "The warehouse: snowflake, postgres or duckdb." }),
  connection: z.record(z.string(), json).meta({
    description:
      "What is needed to connect. Any text may hold ${env:NAME}, read from the environment, or ${secret:NAME}.",
  }),
  planner: planner
    .default({ in: "warehouse", schema: "sluice" })
    .meta({ description: "Where plan and state live: in the warehouse, or local." }),
});

export type SourceDocument = z.infer<typeof sourceSchema>;
