/** What connects to a Pipedrive company, and how many requests its plan lets through. */
import { z } from "zod";
import type { RateLimit } from "../../src/destination.ts";

/** What each seat adds to the day's budget, in Pipedrive's tokens. */
const dailyTokensASeat = { lite: 30_000, growth: 60_000, premium: 150_000, ultimate: 210_000 } as const;

export const connection = z
  .strictObject({
    company_domain: z
      .string()
      // It becomes part of an address: a dot or a slash would make that another's.
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, "is the name alone, such as acme of acme.pipedrive.com")
      .meta({ description: "The company's name: acme of acme.pipedrive.com." }),
    api_token: z
      .string()
      .min(1)
      .optional()
      .meta({ secret: true, description: "A user's API token: Personal preferences, API." }),
    client_id: z.string().min(1).optional().meta({ description: "An OAuth app's client ID, in place of a token." }),
    client_secret: z.string().min(1).optional().meta({ secret: true, description: "Its client secret." }),
    refresh_token: z.string().min(1).optional().meta({
      secret: true,
      description: "The refresh token that a user gave the app, with the scopes contacts:full and deals:full.",
    }),
    plan: z
      .enum(["lite", "growth", "premium", "ultimate"])
      .default("lite")
      .meta({ description: "The plan: with the seats, it decides how much may be asked in a day." }),
    seats: z.int().min(1).default(1).meta({ description: "The seats that the company pays for." }),
    daily_tokens: z
      .int()
      .min(1000)
      .optional()
      .meta({ description: "The day's budget of API tokens with its top-ups, in place of plan and seats." }),
    base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's, without /api." }),
  })
  .refine(({ api_token, refresh_token }) => (api_token === undefined) !== (refresh_token === undefined), {
    error: "give one of api_token and refresh_token",
  })
  .refine(
    ({ refresh_token, client_id, client_secret }) =>
      (refresh_token === undefined) === (client_id === undefined) &&
      (refresh_token === undefined) === (client_secret === undefined),
    { error: "refresh_token needs client_id and client_secret, and only it does" },
  );

export type PipedriveConfig = z.output<typeof connection>;

/** Where the company's API is, without a slash at its end. */
export function apiAddress({ company_domain, base_url }: PipedriveConfig): string {
  return (base_url ?? `https://${company_domain}.pipedrive.com`).replace(/\/+$/, "");
}

/** Where access tokens are asked for: one address for all companies. */
export function tokenAddress({ base_url }: PipedriveConfig): string {
  return `${(base_url ?? "https://oauth.pipedrive.com").replace(/\/+$/, "")}/oauth/token`;
}

/**
 * Searches may be ten in two seconds on every plan, and of the two requests of a new row one is a search: so twenty in
 * all, though larger plans take more of the other requests.
 */
const burst: RateLimit = { name: "two seconds", requests: 20, perMs: 2000 };

/**
 * Pipedrive counts tokens where we count requests. A new row costs 25 in two of them (20 to search, 5 to make it). A row
 * that was sent before costs 5 in one, so a day of changes alone stays far below the budget.
 */
const tokensARequest = 12.5;

/** The published limits, as requests. */
export function limitsOf({ plan, seats, daily_tokens }: PipedriveConfig): readonly RateLimit[] {
  const budget = daily_tokens ?? dailyTokensASeat[plan] * seats;
  return [burst, { name: "day", requests: Math.floor(budget / tokensARequest), perMs: 86_400_000 }];
}
