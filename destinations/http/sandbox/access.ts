/** Who may ask the sandbox: by token, name and password, header, or signature. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { SandboxRequest } from "../../../src/sandbox.ts";

export const accessSchema = z.strictObject({
  bearer: z.string().optional(),
  basic: z.strictObject({ username: z.string(), password: z.string() }).optional(),
  header: z.strictObject({ name: z.string(), value: z.string() }).optional(),
  signing_secret: z.string().optional(),
});

type Access = z.output<typeof accessSchema>;

/** Whether a request shows all that is asked for. Nothing asked for: any request but one with the token `expired`. */
export function mayAsk({ headers, body }: SandboxRequest, access: Access, now: number): boolean {
  const { bearer, basic, header, signing_secret: secret } = access;
  const authorization = headers["authorization"];
  if (authorization === "Bearer expired") return false;
  if (bearer !== undefined && authorization !== `Bearer ${bearer}`) return false;
  if (basic && authorization !== `Basic ${btoa(`${basic.username}:${basic.password}`)}`) return false;
  if (header && headers[header.name.toLowerCase()] !== header.value) return false;
  return secret === undefined || isSigned(headers, body, { secret, now });
}

const toleranceSeconds = 300;

/** The body is at hand as parsed JSON only; what JSON.stringify made reads back as the same text. */
function isSigned(
  headers: SandboxRequest["headers"],
  body: unknown,
  { secret, now }: { readonly secret: string; readonly now: number },
): boolean {
  const { "webhook-id": id = "", "webhook-timestamp": at = "", "webhook-signature": given = "" } = headers;
  if (!(Math.abs(now / 1000 - Number(at)) <= toleranceSeconds)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = `${id}.${at}.${body === null ? "" : JSON.stringify(body)}`;
  const expected = Buffer.from(createHmac("sha256", key).update(signed).digest("base64"));
  return given.split(" ").some((one) => {
    const signature = Buffer.from(one.replace(/^v1,/, ""));
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}
