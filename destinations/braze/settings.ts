/** What connects to a Braze workspace. */
import { z } from "zod";

export const connection = z.strictObject({
  api_key: z
    .string()
    .min(1)
    .meta({ secret: true, description: "A REST API key with users.track, users.delete, users.export.ids." }),
  instance: z
    .string()
    .regex(/^(us-\d{2}|eu-\d{2}|iad-\d{2}|fra-\d{2})$/, "is the instance, such as iad-05 or fra-01")
    .meta({ description: "The instance of the workspace's REST endpoint: iad-05 of rest.iad-05.braze.com." }),
  base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's." }),
});

export type BrazeConfig = z.output<typeof connection>;

/** Where the workspace's API is, without a slash at its end. Instances in Europe have another domain. */
export function apiAddress({ instance, base_url }: BrazeConfig): string {
  const domain = /^(fra|eu)-/.test(instance) ? "braze.eu" : "braze.com";
  return (base_url ?? `https://rest.${instance}.${domain}`).replace(/\/+$/, "");
}
