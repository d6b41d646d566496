import { z } from "zod";
import { name, secretVariable } from "./values.ts";

/** What can become of a run that others may want to be told of. */
export const runEvents = ["held", "succeeded", "partial", "failed", "cancelled"] as const;

/** Whom the service tells when runs end or are held: a webhook that goes out. */
export const notificationSchema = z.strictObject({
  kind: z.literal("notification"),
  name: name.meta({ description: "What commands and the log call this notification." }),
  url: z.union([secretVariable, z.url({ protocol: /^https?$/ })]).meta({
    description: "Where it is sent; as ${env:NAME} or ${secret:NAME} where the address is a secret in itself.",
  }),
  secret: secretVariable.meta({
    description: "What signs it, as Standard Webhooks has it: base64, with or without whsec_ before it.",
  }),
  on: z
    .array(z.enum(runEvents))
    .min(1)
    .default(["held", "partial", "failed"])
    .meta({ description: "What is told: held, succeeded, partial, failed, cancelled." }),
  syncs: z.array(name).min(1).optional().meta({ description: "The syncs whose runs are told. All if not given." }),
});

export type NotificationDocument = z.infer<typeof notificationSchema>;
