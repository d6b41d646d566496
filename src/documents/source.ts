import { z } from "zod";
import { name, text } from "./values.ts";

/** Where plan and state of a source's syncs live. */
const planner = z.discriminatedUnion("in", [
  z.strictObject({
    in: z.literal("warehouse").meta({ description: "In the warehouse itself: the diff runs where the data is." }),
    schema: text
      .default("sluice")
      .meta({ description: "The schema for plan and state. The role must be able to write there." }),
  }),
  z.strictObject({
    in: z.literal("local").meta({ description: "On the service's own disk, for a read-only source." }),
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
