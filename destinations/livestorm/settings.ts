/** `to.settings` of a sync to Livestorm's registrants. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

const schema = z.strictObject({
  session: z.uuid().meta({ description: "The ID of the session that people are registered to." }),
});

/** Which session. */
export type RegistrantSettings = z.output<typeof schema>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): RegistrantSettings {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `registrants takes the setting { session: <the session's ID, from the address of its page> }. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
