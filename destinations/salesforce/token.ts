/** How access tokens are asked for: by client credentials, by a user's refresh token, or by a signed assertion (JWT bearer). */
import { createPrivateKey, sign } from "node:crypto";
import { DestinationError, type TokenGrant } from "../../src/destination.ts";
import { commonLogin, type SalesforceConfig } from "./settings.ts";

export function grantOf(config: SalesforceConfig): TokenGrant {
  const login = trimmed(config.login_url ?? config.base_url);
  return {
    url: `${login}/services/oauth2/token`,
    headers: credentialOf(config),
    form: () => formOf(config, login),
    refreshToken: config.refresh_token,
  };
}

/** The secret goes in a header, which proxies log less often than a form. */
function credentialOf({ client_id, client_secret }: SalesforceConfig): Record<string, string> {
  if (client_secret === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` };
}

function formOf(config: SalesforceConfig, login: string): Record<string, string> {
  const { client_id, client_secret, refresh_token, private_key, username = "" } = config;
  // An app without a secret still says which it is.
  if (refresh_token !== undefined) return client_secret === undefined ? { client_id } : {};
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
    const words = "Salesforce cannot be asked for a token: private_key is no private key in PEM form.";
    throw new DestinationError("unauthorized", words, { code: "private_key_invalid", applied: "no" });
  }
}

/** The token goes to the address that was configured; the one that was answered counts only after a common login. */
export function addressOf({ base_url }: SalesforceConfig, said: Readonly<Record<string, unknown>>): string {
  if (trimmed(base_url) !== commonLogin) return trimmed(base_url);
  const { instance_url } = said;
  const answered = typeof instance_url === "string" ? trimmed(instance_url) : "";
  if (/^https:\/\/[\w.-]+\.salesforce\.com$/.test(answered)) return answered;
  const words = "Salesforce did not tell the org's address: give its My Domain address as base_url.";
  throw new DestinationError("unauthorized", words, { code: "address_unknown", applied: "no" });
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, "");
}
