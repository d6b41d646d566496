/** Signs what the service sends out, as Standard Webhooks (https://www.standardwebhooks.com) has it. */
import { createHmac } from "node:crypto";

/** The headers that prove who a message is from. `secret` is base64, with or without `whsec_` before it. */
export function standardHeaders(id: string, sentAt: Date, body: string, secret: string): Record<string, string> {
  const timestamp = String(Math.floor(sentAt.getTime() / 1000));
  const mac = createHmac("sha256", standardKey(secret)).update(`${id}.${timestamp}.${body}`);
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${mac.digest("base64")}`,
  };
}

/** The key of a secret of Standard Webhooks. */
export function standardKey(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ""), "base64");
}
