/** Who may log in, and with what. */
import { createHash, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { z } from "zod";
import { SnowflakeFailure } from "./failure.ts";

export interface SandboxUser {
  readonly name: string;
  readonly password?: string;
  /** In PEM. */
  readonly publicKey?: string;
  readonly oauthToken?: string;
  readonly programmaticToken?: string;
  /** The role of a session that asks for none. */
  readonly role?: string;
}

export const loginSchema = z.object({
  data: z.object({
    ACCOUNT_NAME: z.string().default(""),
    LOGIN_NAME: z.string().default(""),
    PASSWORD: z.string().optional(),
    TOKEN: z.string().optional(),
    AUTHENTICATOR: z.string().default("SNOWFLAKE"),
    SESSION_PARAMETERS: z.record(z.string(), z.unknown()).default({}),
  }),
});

export type Login = z.infer<typeof loginSchema>["data"];

/** The user who logs in. Throws as Snowflake refuses. Without a list of users anyone may be anyone. */
export function authenticate(login: Login, users: readonly SandboxUser[] | undefined, now: Date): SandboxUser {
  if (users === undefined) return { name: login.LOGIN_NAME.toUpperCase() };
  const named = (user: SandboxUser): boolean => user.name.toUpperCase() === login.LOGIN_NAME.toUpperCase();
  const token = login.TOKEN ?? "";
  switch (login.AUTHENTICATOR.toUpperCase()) {
    case "SNOWFLAKE": {
      const user = users.find(named);
      if (user !== undefined && same(user.password, login.PASSWORD ?? "")) return user;
      throw refused("390100", "Incorrect username or password was specified.");
    }
    case "SNOWFLAKE_JWT": {
      const user = users.find(named);
      if (user !== undefined && isSigned(token, user, login.ACCOUNT_NAME, now)) return user;
      throw refused("390144", "JWT token is invalid.");
    }
    case "OAUTH": {
      const user = users.find((one) => same(one.oauthToken, token));
      if (user !== undefined && (login.LOGIN_NAME === "" || named(user))) return user;
      throw refused("390303", "Invalid OAuth access token.");
    }
    case "PROGRAMMATIC_ACCESS_TOKEN": {
      const user = users.find((one) => same(one.programmaticToken, token));
      if (user !== undefined && (login.LOGIN_NAME === "" || named(user))) return user;
      throw refused("394400", "Programmatic access token is invalid.");
    }
    default:
      throw refused("390100", `The sandbox does not know the authenticator ${login.AUTHENTICATOR}.`);
  }
}

function refused(code: string, words: string): SnowflakeFailure {
  return new SnowflakeFailure(code, "08001", words);
}

const claimsSchema = z.object({ iss: z.string(), sub: z.string(), exp: z.number(), iat: z.number() });

/** Whether a JWT is the user's, by the rules that Snowflake has for key pairs. */
function isSigned(token: string, user: SandboxUser, account: string, now: Date): boolean {
  if (user.publicKey === undefined) return false;
  const [header = "", payload = "", signature = ""] = token.split(".");
  const key = createPublicKey(user.publicKey);
  if (!verify("RSA-SHA256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url")))
    return false;
  const claims = claimsSchema.safeParse(parseJson(Buffer.from(payload, "base64url").toString()));
  if (!claims.success) return false;
  const { iss, sub, exp, iat } = claims.data;
  // An account's region is no part of its name here.
  const subject = `${account.replace(/\..*$/, "")}.${user.name}`.toUpperCase();
  const milliseconds = now.getTime();
  return (
    sub === subject &&
    iss === `${subject}.SHA256:${fingerprint(key)}` &&
    inMilliseconds(exp) > milliseconds &&
    inMilliseconds(iat) <= milliseconds + 60_000
  );
}

/** The standard says seconds; Snowflake's own driver says milliseconds, and Snowflake takes both. */
function inMilliseconds(time: number): number {
  return time > 100_000_000_000 ? time : time * 1000;
}

function fingerprint(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function same(expected: string | undefined, given: string): boolean {
  if (expected === undefined) return false;
  const [one, other] = [expected, given].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
