/** Who asks, by the key that came with the request. */
import { SluiceError } from "../errors.ts";
import { covers, idOf, matches, type Scope } from "./key.ts";

/** Who asked for something. */
export interface Identity {
  /** For lists and the audit log. */
  readonly actor: string;
  readonly scope: Scope;
}

/** The key is missing or wrong (401), does not reach far enough (403), or wrong keys came too often (429). */
export class AccessError extends SluiceError {
  override readonly name = "AccessError";
  readonly status: 401 | 403 | 429;

  constructor(status: 401 | 403 | 429, code: string, message: string, hint: string) {
    super(code, message, { hint });
    this.status = status;
  }
}

/** What access needs to know of the keys that were made. */
export interface KeyRing {
  find(
    id: string,
  ): Promise<{ name: string; scope: Scope; hash: string; valid: boolean; revokedAt: Date | null } | null>;
  touch(id: string): Promise<void>;
  any(): Promise<boolean>;
}

export interface AccessOptions {
  readonly keys: KeyRing;
  /** The hash of a key for who may read the service's own folder; it lives as long as the process. */
  readonly localHash: string;
  /** Whether everyone may do everything while no key was ever made: the service listens on loopback only. */
  readonly openWithoutKeys: boolean;
  readonly now: () => number;
}

/** How many wrong keys one address may try in a minute. */
const triesPerMinute = 20;

export class Access {
  readonly #options: AccessOptions;
  readonly #refused = new Map<string, { count: number; until: number }>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Who a request is from. Throws AccessError for a wrong key, or for none where one is needed. */
  async identify({
    authorization,
    address,
  }: {
    authorization: string | undefined;
    address: string;
  }): Promise<Identity> {
    if (authorization === undefined) return await this.#withoutKey();
    const text = /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "";
    const { localHash, keys } = this.#options;
    if (matches(text, localHash)) return { actor: "local command", scope: "admin" };
    const id = idOf(text);
    const key = id === null ? null : await keys.find(id);
    // Compared also where there is none, so that an id that exists takes no longer than one that does not.
    const isRight = matches(text, key?.hash ?? localHash);
    if (id === null || key === null || !isRight) throw this.#wrong(address, id === null);
    if (!key.valid) {
      throw new AccessError(
        401,
        key.revokedAt === null ? "key_expired" : "key_revoked",
        `The API key ${id} (${key.name}) ${key.revokedAt === null ? "has expired" : "was revoked"}.`,
        'Ask an admin for a new one: "sluice keys create".',
      );
    }
    await keys.touch(id);
    return { actor: `${id} (${key.name})`, scope: key.scope };
  }

  async #withoutKey(): Promise<Identity> {
    if (this.#options.openWithoutKeys && !(await this.#options.keys.any())) return { actor: "anyone", scope: "admin" };
    throw new AccessError(
      401,
      "key_missing",
      "The request has no API key.",
      "Send it as Authorization: Bearer sluice_…; the command reads it from SLUICE_API_KEY.",
    );
  }

  /** Only wrong keys are counted and refused: behind a proxy, who guesses has the address of those who know. */
  #wrong(address: string, mistyped: boolean): AccessError {
    const now = this.#options.now();
    for (const [one, { until }] of this.#refused) if (until <= now) this.#refused.delete(one);
    const { count = 0, until = now + 60_000 } = this.#refused.get(address) ?? {};
    this.#refused.set(address, { count: count + 1, until });
    if (count >= triesPerMinute)
      return new AccessError(429, "too_many_wrong_keys", "Too many wrong API keys came from here.", "Wait a minute.");
    return new AccessError(
      401,
      "key_wrong",
      mistyped ? "What came as API key is none: it is cut or mistyped." : "The API key is not known here.",
      'Copy it whole, as "sluice keys create" printed it. "sluice keys list" names those that there are.',
    );
  }
}

/** Throws AccessError unless the scope reaches as far as what is asked needs. */
export function requireScope({ actor, scope }: Identity, needed: Scope): void {
  if (covers(scope, needed)) return;
  throw new AccessError(
    403,
    "scope_too_small",
    `This needs an API key of scope ${needed}; that of ${actor} is ${scope}.`,
    `Ask an admin for a key of scope ${needed}.`,
  );
}
