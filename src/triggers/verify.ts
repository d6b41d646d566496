/** Whether a webhook delivery is its sender's: signatures over the raw body, compared in constant time. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { standardKey } from "./sign.ts";

/** How a sender proves who it is. */
export type Scheme =
  | "standard_webhooks"
  | "hmac_sha256"
  | "dbt_cloud"
  | "hubspot"
  | "zendesk"
  | "segment"
  | "github"
  | "bearer";

export interface Verification {
  readonly scheme: Scheme;
  /** Each is valid: during a rotation the old one and the new one. */
  readonly secrets: readonly string[];
  /** `hmac_sha256`: the header with the signature. */
  readonly header?: string | undefined;
  /** `hubspot`: the address as the sender knows it, which is part of what it signs. */
  readonly url?: string | undefined;
}

export interface Delivery {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body byte by byte as it came. */
  readonly body: Buffer;
}

/** A delivery that is its sender's. `id` is the same when it is delivered again; null where that cannot be told. */
export interface Verified {
  readonly id: string | null;
}

/** How far a signed time may be from now, either way. */
export const windowMs = 300_000;

interface Proof {
  /** What the sender claims, one of which must be right. */
  readonly claimed: readonly Buffer[];
  readonly expected: (secret: string) => Buffer;
  /** When it was signed, in ms; undefined where the scheme signs no time. */
  readonly signedAt?: number;
  readonly id: string | null;
}

/** Null unless one of the secrets has made the signature, and not too long ago. */
export function verify(verification: Verification, delivery: Delivery, now: Date): Verified | null {
  const proof = proofs[verification.scheme](delivery, verification);
  if (proof === null || verification.secrets.length === 0) return null;
  const { claimed, expected, signedAt, id } = proof;
  // Every secret and every signature is compared, so that time tells nothing about which one was right.
  const matches = verification.secrets.flatMap((secret) => {
    const right = expected(secret);
    return claimed.map((one) => one.length === right.length && timingSafeEqual(one, right));
  });
  if (!matches.includes(true)) return null;
  if (signedAt !== undefined && !(Math.abs(now.getTime() - signedAt) <= windowMs)) return null;
  return { id };
}

const proofs: Readonly<Record<Scheme, (delivery: Delivery, verification: Verification) => Proof | null>> = {
  standard_webhooks: (delivery) => {
    const id = header(delivery, "webhook-id");
    const timestamp = header(delivery, "webhook-timestamp");
    if (id === "" || !/^\d{1,12}$/.test(timestamp)) return null;
    const signatures = header(delivery, "webhook-signature").split(" ");
    return {
      claimed: signatures.flatMap((one) => (one.startsWith("v1,") ? bytes(one.slice(3), "base64") : [])),
      expected: (secret) => hmac("sha256", standardKey(secret), `${id}.${timestamp}.`, delivery.body),
      signedAt: Number(timestamp) * 1000,
      id,
    };
  },
  hmac_sha256: (delivery, { header: name = "" }) => ({
    claimed: bytes(header(delivery, name).replace(/^sha256=/, ""), "hex"),
    expected: (secret) => hmac("sha256", secret, delivery.body),
    id: null,
  }),
  dbt_cloud: (delivery) => ({
    claimed: bytes(header(delivery, "authorization"), "hex"),
    expected: (secret) => hmac("sha256", secret, delivery.body),
    // The body holds the event's own id and time.
    id: digest(delivery.body),
  }),
  hubspot: (delivery, { url = "" }) => {
    const timestamp = header(delivery, "x-hubspot-request-timestamp");
    if (!/^\d{1,15}$/.test(timestamp)) return null;
    return {
      claimed: bytes(header(delivery, "x-hubspot-signature-v3"), "base64"),
      expected: (secret) => hmac("sha256", secret, `POST${url}`, delivery.body, timestamp),
      signedAt: Number(timestamp),
      id: digest(delivery.body),
    };
  },
  zendesk: (delivery) => {
    const timestamp = header(delivery, "x-zendesk-webhook-signature-timestamp");
    if (!/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(timestamp)) return null;
    return {
      claimed: bytes(header(delivery, "x-zendesk-webhook-signature"), "base64"),
      expected: (secret) => hmac("sha256", secret, timestamp, delivery.body),
      signedAt: Date.parse(timestamp),
      id: digest(Buffer.from(timestamp), delivery.body),
    };
  },
  segment: (delivery) => ({
    claimed: bytes(header(delivery, "x-signature"), "hex"),
    expected: (secret) => hmac("sha1", secret, delivery.body),
    id: null,
  }),
  github: (delivery) => {
    const signature = header(delivery, "x-hub-signature-256");
    if (!signature.startsWith("sha256=")) return null;
    const id = header(delivery, "x-github-delivery");
    return {
      claimed: bytes(signature.slice("sha256=".length), "hex"),
      expected: (secret) => hmac("sha256", secret, delivery.body),
      id: id === "" ? null : id,
    };
  },
  bearer: (delivery) => {
    const [, token] = /^Bearer (\S+)$/i.exec(header(delivery, "authorization")) ?? [];
    if (token === undefined) return null;
    // Hashes are of one length, so time does not even tell the token's.
    return { claimed: [sha256(token)], expected: sha256, id: null };
  },
};

/** A header that came once. One that came twice is nobody's. */
function header({ headers }: Delivery, name: string): string {
  const value = headers[name.toLowerCase()];
  return typeof value === "string" ? value : "";
}

/** A signature's bytes, if it is one whole of its kind: Node reads a prefix of what is not. */
function bytes(text: string, encoding: "hex" | "base64"): readonly Buffer[] {
  const whole = encoding === "hex" ? /^(?:[\da-f]{2})+$/i : /^[A-Za-z0-9+/]+={0,2}$/;
  return whole.test(text) ? [Buffer.from(text, encoding)] : [];
}

function hmac(algorithm: "sha1" | "sha256", key: string | Buffer, ...parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac(algorithm, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function digest(...parts: readonly Buffer[]): string {
  return createHash("sha256").update(Buffer.concat(parts)).digest("hex");
}
