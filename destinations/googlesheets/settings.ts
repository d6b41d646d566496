/** What connects to a spreadsheet, and `to.settings` of a sync to one of its tabs. */
import { z } from "zod";
import { DestinationError, type ObjectSettings } from "../../src/destination.ts";

const googleApi = "https://sheets.googleapis.com";
const googleTokens = "https://oauth2.googleapis.com/token";

export const connection = z.strictObject({
  spreadsheet_id: z
    .string()
    .min(1)
    .meta({ description: "The spreadsheet's ID: in its address, between /d/ and /edit." }),
  client_email: z
    .string()
    .min(1)
    .meta({ description: "The service account's e-mail address. Share the spreadsheet with it, as editor." }),
  private_key: z
    .string()
    .min(1)
    .meta({ secret: true, description: "The private_key of the service account's key file." }),
  requests_per_minute: z.int().min(1).default(60).meta({
    description: "Requests that Google takes of the service account in a minute: more if its quota was raised.",
  }),
  base_url: z.url().default(googleApi).meta({ description: "Another address, such as a sandbox's, without /v4." }),
});

export type SheetsConfig = z.output<typeof connection>;

/** Where the API is, without a slash at its end. */
export const apiAddress = ({ base_url }: SheetsConfig): string => base_url.replace(/\/+$/, "");

/** Where tokens are asked: Google has an address of its own for them; another service has them beside its API. */
export const tokenAddress = (config: SheetsConfig): string =>
  apiAddress(config) === googleApi ? googleTokens : `${apiAddress(config)}/token`;

const tabSchema = z.strictObject({
  header_row: z.int().min(1).max(1000).default(1).meta({ description: "The number of the row with the headers." }),
  types: z
    .record(z.string(), z.enum(["text", "number", "boolean"]))
    .default({})
    .meta({ description: "Columns that hold numbers or TRUE and FALSE; the others hold text." }),
});

export type TabSettings = z.output<typeof tabSchema>;

/** Throws `refused` for settings that are wrong, saying which. */
export function parseSettings(settings: ObjectSettings): TabSettings {
  const parsed = tabSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const words = parsed.error.issues
    .map(({ path, message }) => `to.settings${path.map((step) => `.${String(step)}`).join("")}: ${message}`)
    .join("; ");
  const message = `A tab takes the settings { header_row: 1, types: { <column>: text | number | boolean } }. ${words}`;
  throw new DestinationError("refused", message, { code: "settings_invalid", applied: "no" });
}
