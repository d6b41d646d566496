/** What connects to a Salesforce org, and `to.settings` of a sync to one of its objects. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

/** An address that issues tokens and knows no records; the answer names the org's own address. */
export const commonLogin = "https://login.salesforce.com";

export const connection = z
  .strictObject({
    client_id: z.string().min(1).meta({ description: "The external client app's consumer key." }),
    client_secret: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "Its consumer secret, for the client credentials flow." }),
    refresh_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "A user's refresh token, for the web server flow." }),
    private_key: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "The private key (PEM) of its certificate, for the JWT bearer flow." }),
    username: z.string().min(1).optional().meta({ description: "The user to act as, for the JWT bearer flow." }),
    base_url: z
      .url()
      .default(commonLogin)
      .meta({ description: "The org's My Domain address, such as https://acme.my.salesforce.com." }),
    login_url: z
      .url()
      .optional()
      .meta({ description: "Where tokens are asked, if not at base_url, such as https://test.salesforce.com." }),
    api_version: z
      .string()
      .regex(/^\d{2,3}\.0$/)
      .default("66.0")
      .meta({ description: "The version of the REST API." }),
    daily_requests: z
      .int()
      .min(1)
      .default(100_000)
      .meta({ description: "API requests that the org may make in 24 hours: Setup, Company Information." }),
  })
  .refine(
    ({ client_secret, private_key, refresh_token }) =>
      (client_secret === undefined && refresh_token === undefined) !== (private_key === undefined),
    { error: "give either private_key, or client_secret or refresh_token or both" },
  )
  .refine(({ private_key, username }) => (private_key === undefined) === (username === undefined), {
    error: "private_key needs username, and only it does",
  });

export type SalesforceConfig = z.infer<typeof connection>;

const objectSchema = z.strictObject({
  api: z.enum(["collections", "bulk"]).default("collections").meta({
    description: "How many records are written: 200 a request, or as a job of Bulk API 2.0 wherever they are more.",
  }),
});

export type SObjectSettings = z.output<typeof objectSchema>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): SObjectSettings {
  const parsed = objectSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `An object takes the settings { api: collections | bulk }. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
