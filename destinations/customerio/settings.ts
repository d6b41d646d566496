/** `to.settings` of a sync to Customer.io. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

const datetimes = z
  .array(z.string().min(1))
  .default([])
  .meta({ description: "Attributes that are points in time, sent as the Unix seconds that date conditions need." });

/** A number is an ID, which YAML reads as a number. */
function nameOrId(error: string): z.ZodType<string> {
  return z.union([z.string().min(1), z.int()], { error }).transform(String);
}

/** Of people and of objects. */
export const recordSettings = z.strictObject({ datetimes });

/** Of relationships. */
export const relationshipSettings = z.strictObject({
  object_type: nameOrId("name the object type").meta({
    description: "The object type: its ID, or with an App API key its name.",
  }),
  datetimes,
});

/** Of a manual segment's members. */
export const segmentSettings = z.strictObject({
  segment: nameOrId("name the segment").meta({ description: "The manual segment's name or ID." }),
  create: z.boolean().default(true).meta({ description: "Make the segment if there is none of that name." }),
});

export type RecordSettings = z.infer<typeof recordSettings>;
export type RelationshipSettings = z.infer<typeof relationshipSettings>;
export type SegmentSettings = z.infer<typeof segmentSettings>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings<Settings>(
  object: string,
  schema: z.ZodType<Settings>,
  settings: ObjectSettings,
): Settings {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `The settings of ${object} are wrong. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
