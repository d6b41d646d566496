/** API keys: how one is made, told apart from a mistyped one, and compared with what is stored. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

/** What a key lets its holder do; each also all that stands before it. */
export const scopes = ["read", "run", "write", "admin"] as const;
export type Scope = (typeof scopes)[number];

export function covers(held: Scope, needed: Scope): boolean {
  return scopes.indexOf(held) >= scopes.indexOf(needed);
}

export interface MadeKey {
  /** Names the key in lists and in the audit log. No secret. */
  readonly id: string;
  /** The whole key, shown once. */
  readonly text: string;
  readonly hash: string;
}

/** A new key: 256 random bits, and a check sum by which a slip of the hand is told from a guess. */
export function makeKey(): MadeKey {
  const id = randomBytes(6).toString("hex");
  const body = `${id}_${randomBytes(32).toString("hex")}`;
  const text = `${prefix}${body}${checkSum(body)}`;
  return { id, text, hash: hashOf(text) };
}

/** A key as it was sent: its id, or null for what cannot be a key. */
export function idOf(text: string): string | null {
  const found = /^sluice_([0-9a-f]{12})_[0-9a-f]{64}([0-9a-f]{8})$/.exec(text);
  if (found === null) return null;
  const [, id = "", sum] = found;
  return checkSum(text.slice(prefix.length, -8)) === sum ? id : null;
}

/** Whether a key is the one of this hash. Takes as long whatever differs. */
export function matches(text: string, hash: string): boolean {
  const [given, stored] = [Buffer.from(hashOf(text)), Buffer.from(hash)];
  return given.length === stored.length && timingSafeEqual(given, stored);
}

const prefix = "sluice_";

/** No slow hash: nothing can be guessed of 256 random bits. */
function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function checkSum(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}
