import { z } from "zod";
import { json, name, text } from "./values.ts";

const pace = z.strictObject({
  share: z.number().gt(0).max(1).default(0.8).meta({
    description: "The part of the vendor's published rate limit that may be used; the rest is left to others.",
  }),
});

/** A connection to a tool, made by one adapter. */
export const destinationSchema = z.strictObject({
  kind: z.literal("destination"),
  name: name.meta({ description: "What syncs call this destination." }),
  type: text.meta({ description: "The adapter: the name of a folder of destinations/." }),
  connection: z.record(z.string(), json).meta({
    description:
      "What is needed to connect. Any text may hold ${env:NAME}, read from the environment, or ${secret:NAME}.",
  }),
  pace: pace.default({ share: 0.8 }).meta({ description: "How fast the destination may be written to." }),
});

export type DestinationDocument = z.infer<typeof destinationSchema>;
