/** What connects to a HubSpot account. */
import { z } from "zod";

export const connection = z
  .strictObject({
    access_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "A private app's access token, or a service key." }),
    client_id: z.string().min(1).optional().meta({ description: "The client ID of an app with OAuth." }),
    client_secret: z.string().min(1).optional().meta({ secret: true, description: "Its client secret." }),
    refresh_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "The refresh token that it was given when it was installed." }),
    base_url: z.url().default("https://api.hubapi.com").meta({ description: "Another address, such as a sandbox's." }),
    api_version: z
      .enum(["2026-03", "2026-09"])
      .default("2026-09")
      .meta({ description: "HubSpot's dated API version." }),
    tier: z
      .enum(["free", "starter", "professional", "enterprise"])
      .default("professional")
      .meta({ description: "The account's tier, which decides its rate limits." }),
  })
  .refine(({ access_token, refresh_token }) => (access_token === undefined) !== (refresh_token === undefined), {
    error: "give either access_token or refresh_token",
  })
  .refine(
    ({ refresh_token, client_id, client_secret }) =>
      (refresh_token === undefined) === (client_id === undefined) &&
      (refresh_token === undefined) === (client_secret === undefined),
    { error: "refresh_token needs client_id and client_secret, and only it does" },
  );

export type HubSpotConfig = z.output<typeof connection>;
