/** `to.settings` of a sync to Segment. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";
import type { ObjectName } from "./objects.ts";

const integrations = z
  .record(z.string(), z.boolean())
  // Segment's own client would keep such an event to itself and call it sent.
  .refine((chosen) => !("Segment.io" in chosen), '"Segment.io" cannot be switched')
  .optional()
  .meta({ description: "Which of Segment's destinations get the events, such as { All: false, Mixpanel: true }." });

const schemas = {
  identify: z.strictObject({ integrations }),
  group: z.strictObject({
    integrations,
    anonymous_id: z.string().min(1).default("sluice").meta({
      description: "Whose membership a group call tells when the row has no user. Segment takes none without.",
    }),
  }),
  track: z.strictObject({
    integrations,
    event: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The name of every event, unless a field `event` is mapped." }),
  }),
} as const;

/** The settings of all objects; those that an object does not have are undefined. */
export interface SegmentSettings {
  readonly integrations?: Readonly<Record<string, boolean>> | undefined;
  readonly anonymous_id?: string | undefined;
  readonly event?: string | undefined;
}

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(object: ObjectName, settings: ObjectSettings): SegmentSettings {
  const parsed = schemas[object].safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `The settings of ${object} are wrong. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
