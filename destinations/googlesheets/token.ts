/** Access tokens of a service account: an assertion that its key signs, exchanged for a token that lasts an hour. */
import { createPrivateKey, sign } from "node:crypto";
import { DestinationError, type TokenGrant } from "../../src/destination.ts";
import { type SheetsConfig, tokenAddress } from "./settings.ts";

const scope = "https://www.googleapis.com/auth/spreadsheets";
const lifetimeSeconds = 3600;

export function grantOf(config: SheetsConfig): TokenGrant {
  const url = tokenAddress(config);
  return {
    url,
    form: () => {
      const issued = Math.floor(Date.now() / 1000);
      const claims = { iss: config.client_email, scope, aud: url, iat: issued, exp: issued + lifetimeSeconds };
      return {
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: signed(claims, config.private_key),
      };
    },
  };
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
