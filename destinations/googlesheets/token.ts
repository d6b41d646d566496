/** Access tokens of a service account: an assertion that its key signs, exchanged for a token that lasts an hour. */
import { createPrivateKey, sign } from "node:crypto";
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { parseJson } from "./errors.ts";
import { type SheetsConfig, tokenAddress } from "./settings.ts";

export interface Token {
  readonly text: string;
  /** Milliseconds since 1970; a little before it ends in truth. */
  readonly endsAt: number;
}

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().default(3600) });
const errorSchema = z.object({ error: z.string(), error_description: z.string().default("") });

const scope = "https://www.googleapis.com/auth/spreadsheets";
const lifetimeSeconds = 3600;
/** A request may be on its way for this long. */
const marginMs = 60_000;

/** A new token. Throws `unauthorized` when Google gives none. */
export async function askToken(config: SheetsConfig, { fetch }: Context, signal?: AbortSignal): Promise<Token> {
  const address = tokenAddress(config);
  const now = Date.now();
  const issued = Math.floor(now / 1000);
  const claims = { iss: config.client_email, scope, aud: address, iat: issued, exp: issued + lifetimeSeconds };
  const grant = {
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: signed(claims, config.private_key),
  };
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: new URLSearchParams(grant).toString(),
    ...(signal ? { signal } : {}),
  });
  const body = parseJson(await response.text());
  const parsed = tokenSchema.safeParse(body);
  if (!response.ok || !parsed.success) throw refused(body, response.status);
  return { text: parsed.data.access_token, endsAt: now + parsed.data.expires_in * 1000 - marginMs };
}

function signed(claims: Readonly<Record<string, unknown>>, key: string): string {
  const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const content = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  try {
    // Copied from the key file as it stands there, its line breaks are still written as \n.
    const pem = createPrivateKey(key.replaceAll(String.raw`\n`, "\n"));
    return `${content}.${sign("RSA-SHA256", Buffer.from(content), pem).toString("base64url")}`;
  } catch {
    // The cause is not told: it may repeat the key.
    const words =
      "Google cannot be asked for a token: private_key is no private key in PEM form, as the key file has it.";
    throw new DestinationError("unauthorized", words, { code: "private_key_invalid", applied: "no" });
  }
}

function refused(body: unknown, status: number): DestinationError {
  const { error, error_description } = errorSchema.safeParse(body).data ?? { error: "no_token", error_description: "" };
  const words = `Google gave no access token (${status}): ${error}. ${error_description}`.trim();
  return new DestinationError("unauthorized", words, { code: error, applied: "no", status });
}
