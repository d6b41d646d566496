/**
 * Secrets at rest, in envelopes: each text is encrypted under a key of its own, and that key under one that the process
 * is given and no database holds. What a text is for is authenticated with it, so an envelope that is moved, cut or
 * changed in one bit opens for nobody.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { SluiceError, UsageError } from "../errors.ts";

/** A text that only who has the key of this id can read. */
export interface Sealed {
  readonly keyId: string;
  /** The envelope's own key, encrypted. */
  readonly wrapped: Buffer;
  readonly body: Buffer;
}

interface SealingKey {
  /** Tells keys apart, and nothing of them. */
  readonly id: string;
  readonly bytes: Buffer;
}

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Seals under its first key, and opens under any: while keys are rotated, the new one stands before the old one. */
export class Sealer {
  readonly #keys: readonly SealingKey[];

  /** `setting`: 32 random bytes in base64 or hex; several by commas. Undefined: nothing can be sealed or opened. */
  constructor(setting: string | undefined) {
    this.#keys = setting === undefined ? [] : setting.split(",").map((text) => parseKey(text.trim()));
  }

  /** The ids of its keys, the first one first. */
  get keyIds(): readonly string[] {
    return this.#keys.map(({ id }) => id);
  }

  seal(text: string, purpose: string): Sealed {
    const key = this.#first();
    const own = randomBytes(keyBytes);
    const wrapped = encrypt(key.bytes, own, `key ${key.id} ${purpose}`);
    return { keyId: key.id, wrapped, body: encrypt(own, Buffer.from(text), `text ${purpose}`) };
  }

  /** Throws `secret_unreadable`, which is all that it says of why. */
  open({ keyId, wrapped, body }: Sealed, purpose: string): string {
    const own = this.#unwrap({ keyId, wrapped }, purpose);
    return opened(() => decrypt(own, body, `text ${purpose}`)).toString("utf8");
  }

  /** The same text under the first key; null if it is already. The text itself is not opened. */
  rewrap(sealed: Sealed, purpose: string): Sealed | null {
    const key = this.#first();
    if (sealed.keyId === key.id) return null;
    const own = this.#unwrap(sealed, purpose);
    return { ...sealed, keyId: key.id, wrapped: encrypt(key.bytes, own, `key ${key.id} ${purpose}`) };
  }

  #unwrap({ keyId, wrapped }: Pick<Sealed, "keyId" | "wrapped">, purpose: string): Buffer {
    const key = this.#keys.find(({ id }) => id === keyId);
    if (!key) throw unreadable();
    return opened(() => decrypt(key.bytes, wrapped, `key ${keyId} ${purpose}`));
  }

  #first(): SealingKey {
    const [key] = this.#keys;
    if (key) return key;
    throw new UsageError(
      "secret_key_missing",
      "Secrets can be stored only under a key, and SLUICE_SECRET_KEY is not set.",
      {
        hint: 'Set it to what "openssl rand -base64 32" prints, for every process of the service, and keep a copy.',
      },
    );
  }
}

function parseKey(text: string): SealingKey {
  const bytes = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
  // An example that was left as it is, or one character held down, is no secret.
  if (bytes.length !== keyBytes || new Set(bytes).size < 8) {
    throw new UsageError("wrong_setting", "SLUICE_SECRET_KEY must be 32 random bytes in base64, or several by commas", {
      hint: '"openssl rand -base64 32" makes one.',
    });
  }
  return { id: createHash("sha256").update("sluice key id").update(bytes).digest("hex").slice(0, 12), bytes };
}

function encrypt(key: Buffer, plain: Buffer, purpose: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(purpose));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, purpose: string): Buffer {
  const nonce = sealed.subarray(0, nonceBytes);
  const tag = sealed.subarray(-tagBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
}

function opened(open: () => Buffer): Buffer {
  try {
    return open();
  } catch {
    throw unreadable();
  }
}

function unreadable(): SluiceError {
  return new SluiceError("secret_unreadable", "A stored secret cannot be read.", {
    hint: "SLUICE_SECRET_KEY is another one than it was stored under, or the store was tampered with.",
  });
}
