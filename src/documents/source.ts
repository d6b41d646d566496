import { z } from "zod";
import { name, text } from "./values.ts";

const memoryLimit = z
  .string()
  .regex(/^\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/i, "A number and a unit, such as 256MB.");

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
    memory_limit: memoryLimit
      .default("256MB")
      .meta({ description: "How much memory planning may use; beyond it, it uses files in the data folder." }),
  }),
]);

/** A connection to a warehouse. */
export const sourceSchema = z.strictObject({
  kind: z.literal("source"),
  name: name.meta({ description: "What models call this source." }),
  type: text.meta({ description: "The warehouse: snowflake, postgres or duckdb." }),
  connection: z
    .record(z.string(), z.json())
    .meta({ description: "What is needed to connect. Any text may hold ${env:NAME}, read from the environment." }),
  planner: planner
    .default({ in: "warehouse", schema: "sluice" })
    .meta({ description: "Where plan and state live: in the warehouse, or local." }),
});

export type SourceDocument = z.infer<typeof sourceSchema>;
