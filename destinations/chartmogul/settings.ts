/** `to.settings` of a sync to ChartMogul's customers. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

/** The types of ChartMogul's custom attributes. */
export const attributeTypes = ["String", "Integer", "Decimal", "Timestamp", "Boolean"] as const;

export type AttributeType = (typeof attributeTypes)[number];

export const customerSettings = z.strictObject({
  data_source: z
    .string()
    .regex(/^ds_[\w-]+$/, "a data source's UUID begins with ds_")
    .optional()
    .meta({ description: "The UUID of the data source in which external_id finds a customer." }),
  custom_attributes: z
    .record(z.string().regex(/^\w+$/, "a key has letters, digits and underscores"), z.enum(attributeTypes))
    .default({})
    .meta({ description: "The types of custom attributes, such as { health_score: Decimal }." }),
});

export type CustomerSettings = z.output<typeof customerSettings>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): CustomerSettings {
  const parsed = customerSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const example = "{ data_source: ds_…, custom_attributes: { health_score: Decimal } }";
  throw new DestinationError("refused", `customers takes settings such as ${example}. ${words}`, {
    code: "settings_invalid",
    applied: "no",
  });
}
