/** Access tokens: by client credentials, or by a signed assertion (JWT bearer). */
import { createPrivateKey, sign } from "node:crypto";
import { z } from "zod";
import { type Context, DestinationError } from "../../src/destination.ts";
import { parseJson } from "./errors.ts";
import { commonLogin, type SalesforceConfig } from "./settings.ts";

export interface Session {
  readonly token: string;
  /** Where the org's API is. */
  readonly address: string;
}

const tokenSchema = z.object({ access_token: z.string().min(1), instance_url: z.url().optional() });
const errorSchema = z.object({ error: z.string(), error_description: z.string().default("") });

/** A new session. Throws `unauthorized` when Salesforce does not give one. */
export async function openSession(
  config: SalesforceConfig,
  { fetch }: Context,
  signal?: AbortSignal,
): Promise<Session> {
  const login = trimmed(config.login_url ?? config.base_url);
  const response = await fetch(`${login}/services/oauth2/token`, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
      ...credentialOf(config),
    },
    body: new URLSearchParams(grantOf(config, login)).toString(),
    ...(signal ? { signal } : {}),
  });
  const body = parseJson(await response.text());
  const parsed = tokenSchema.safeParse(body);
  if (!response.ok || !parsed.success) throw refused(body, response.status);
  return { token: parsed.data.access_token, address: addressOf(config, parsed.data.instance_url) };
}

/** The secret goes in a header, which proxies log less often than a form. */
function credentialOf({ client_id, client_secret }: SalesforceConfig): Record<string, string> {
  if (client_secret === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` };
}

function grantOf(config: SalesforceConfig, login: string): Record<string, string> {
  const { client_id, private_key, username = "" } = config;
  if (private_key === undefined) return { grant_type: "client_credentials" };
  const claims = { iss: client_id, sub: username, aud: login, exp: Math.floor(Date.now() / 1000) + 180 };
  return { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: signed(claims, private_key) };
}

function signed(claims: Readonly<Record<string, unknown>>, key: string): string {
  const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const content = `${encode({ alg: "RS256" })}.${encode(claims)}`;
  try {
    return `${content}.${sign("RSA-SHA256", Buffer.from(content), createPrivateKey(key)).toString("base64url")}`;
  } catch {
    // The cause is not told: it may repeat the key.
    throw unauthorized("Salesforce cannot be asked for a token: private_key is no private key in PEM form.", {
      code: "private_key_invalid",
    });
  }
}

/** The token goes to the address that was configured; the one that was answered counts only after a common login. */
function addressOf({ base_url }: SalesforceConfig, answered: string | undefined): string {
  if (trimmed(base_url) !== commonLogin) return trimmed(base_url);
  if (answered !== undefined && /^https:\/\/[\w.-]+\.salesforce\.com$/.test(trimmed(answered)))
    return trimmed(answered);
  throw unauthorized("Salesforce did not tell the org's address: give its My Domain address as base_url.", {
    code: "address_unknown",
  });
}

function refused(body: unknown, status: number): DestinationError {
  const { error, error_description } = errorSchema.safeParse(body).data ?? { error: "no_token", error_description: "" };
  const words = `Salesforce gave no access token (${status}): ${error}. ${error_description}`.trim();
  return unauthorized(words, { code: error, status });
}

function unauthorized(message: string, detail: { readonly code: string; readonly status?: number }): DestinationError {
  return new DestinationError("unauthorized", message, { ...detail, applied: "no" });
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, "");
}
