/** What connects to a Mailchimp account, and `to.settings` of a sync to one of its audiences. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

export const connection = z.strictObject({
  api_key: z
    .string()
    .regex(/^[\w-]+-[a-z]{2,3}\d{1,3}$/, "ends in the data center, such as -us21")
    .meta({ secret: true, description: "An API key, which ends in the account's data center: …-us21." }),
  base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's, without /3.0." }),
});

export type MailchimpConfig = z.output<typeof connection>;

/** Where the account's API is, without a slash at its end: Mailchimp answers for each only in its own data center. */
export function apiAddress({ api_key, base_url }: MailchimpConfig): string {
  const dataCenter = api_key.slice(api_key.lastIndexOf("-") + 1);
  return `${(base_url ?? `https://${dataCenter}.api.mailchimp.com`).replace(/\/+$/, "")}/3.0`;
}

const memberSchema = z.strictObject({
  audience: z
    .string()
    .regex(/^\w+$/)
    .meta({ description: "The audience's ID: Audience, Settings, Audience name and defaults." }),
  status_if_new: z.enum(["subscribed", "pending", "transactional", "unsubscribed"]).meta({
    description: "What new members are: subscribed only where they agreed to it. Who is there keeps the status.",
  }),
});

export type MemberSettings = z.output<typeof memberSchema>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): MemberSettings {
  const parsed = memberSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `Members take the settings { audience: <ID>, status_if_new: subscribed | pending | transactional | unsubscribed }. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
