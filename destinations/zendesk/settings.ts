/** What connects to a Zendesk account. */
import { z } from "zod";

/** Requests a minute, by plan. */
export const requestsPerMinute = {
  team: 200,
  growth: 400,
  professional: 400,
  enterprise: 700,
  enterprise_plus: 2500,
} as const;

export const connection = z
  .strictObject({
    subdomain: z
      .string()
      // It becomes part of an address: a dot or a slash would make that another's.
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, "is the name alone, such as acme of acme.zendesk.com")
      .meta({ description: "The account's name: acme of acme.zendesk.com." }),
    email: z
      .string()
      .regex(/^[^\s:@]+@[^\s:@]+$/, "is an e-mail address")
      .optional()
      .meta({ description: "The e-mail address of the admin whom the API token acts as." }),
    api_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "An API token: Admin Center, Apps and integrations, Zendesk API." }),
    access_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "An OAuth access token with the scopes read and write, in place of both." }),
    client_id: z.string().min(1).optional().meta({ description: "An OAuth client's unique identifier." }),
    client_secret: z.string().min(1).optional().meta({ secret: true, description: "Its secret." }),
    refresh_token: z.string().min(1).optional().meta({
      secret: true,
      description: "The refresh token that a user gave the client, with the scopes read and write.",
    }),
    plan: z
      .enum(["team", "growth", "professional", "enterprise", "enterprise_plus"])
      .default("team")
      .meta({ description: "The Suite plan: decides the pace." }),
    base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's." }),
  })
  .refine(
    ({ api_token, access_token, refresh_token }) =>
      [api_token, access_token, refresh_token].filter((one) => one !== undefined).length === 1,
    { error: "give one of api_token, access_token and refresh_token" },
  )
  .refine(({ api_token, email }) => (api_token === undefined) === (email === undefined), {
    error: "api_token needs email, and only it does",
  })
  .refine(
    ({ refresh_token, client_id, client_secret }) =>
      (refresh_token === undefined) === (client_id === undefined) &&
      (refresh_token === undefined) === (client_secret === undefined),
    { error: "refresh_token needs client_id and client_secret, and only it does" },
  );

export type ZendeskConfig = z.infer<typeof connection>;
