/** The access tokens of destinations: one keeper a grant in this process, and the control store behind those that are to last. */
import { hash } from "node:crypto";
import { z } from "zod";
import {
  type AskToken,
  type KeptToken,
  type Token,
  TokenKeeper,
  tokenInMemory,
  type TokenPlace,
} from "../connection/tokens.ts";
import type { TokenGrant } from "../destination.ts";
import { newId } from "../store/ids.ts";
import type { Service } from "./service.ts";

/** Longer than a request for a token may take; after it, whoever asked is taken for dead. */
const turnMs = 60_000;
/** How often it is seen whether another process got the token that this one waits for. */
const pollMs = 200;
/** How often a token that could not be stored is stored again, once a second. */
const storeAttempts = 20;

/** The keeper of a grant's token. `connection`: what tells it from others, where it has no refresh token of its own. */
export function keeperOf(grant: TokenGrant, connection: unknown, service: Service): TokenKeeper {
  const { tokens, clock } = service;
  const { url, refreshToken } = grant;
  // A refresh token is one grant's alone, whatever else of the connection is changed.
  const name = hash("sha256", JSON.stringify([url, refreshToken ?? connection]), "hex");
  const known = tokens.get(name);
  if (known) return known;
  const place = refreshToken === undefined ? tokenInMemory() : new StoredTokenPlace(name, service);
  const keeper = new TokenKeeper(place, clock);
  tokens.set(name, keeper);
  return keeper;
}

/** Goes into a token: it opens for no other grant, and not as an older one of the same. */
export function purposeOfToken(name: string, version: number): string {
  return `token ${version} ${name}`;
}

const tokenSchema = z.object({
  text: z.string(),
  refreshToken: z.string().optional(),
  endsAt: z.number().optional(),
  said: z.record(z.string(), z.unknown()),
});

/** Keeps a token in the control store, where every process finds it and none asks while another does. */
class StoredTokenPlace implements TokenPlace {
  readonly #name: string;
  readonly #service: Service;
  /** Given by the vendor, and not stored yet. */
  #unstored: { readonly version: number; readonly token: Token } | undefined;

  constructor(name: string, service: Service) {
    this.#name = name;
    this.#service = service;
    // Told before the first request: a token that cannot be stored must not be asked for.
    service.sealer.seal("", purposeOfToken(name, 0));
  }

  async read(): Promise<KeptToken | null> {
    if (this.#unstored) await this.#store(this.#unstored.version, this.#unstored.token);
    const { store, sealer } = this.#service;
    const found = await store.tokens.find(this.#name);
    if (!found) return null;
    const text = sealer.open(found.sealed, purposeOfToken(this.#name, found.version));
    const { refreshToken, endsAt, ...token } = tokenSchema.parse(JSON.parse(text));
    return { ...token, refreshToken, endsAt, version: found.version };
  }

  async replace(before: KeptToken | null, ask: AskToken): Promise<KeptToken> {
    const { store, clock } = this.#service;
    for (let last = before; ;) {
      const version = last?.version ?? 0;
      const asker = newId("ask");
      if (await store.tokens.claim(this.#name, { version, asker, ms: turnMs })) return this.#ask(last, asker, ask);
      await clock.sleep(pollMs);
      last = await this.read();
      if (last && last.version > version) return last;
    }
  }

  async #ask(before: KeptToken | null, asker: string, ask: AskToken): Promise<KeptToken> {
    const version = before?.version ?? 0;
    let token: Token;
    try {
      token = await ask(before);
    } catch (error) {
      // Where that fails too, the turn runs out.
      await this.#service.store.tokens.release(this.#name, asker).catch(() => undefined);
      throw error;
    }
    // Its refresh token may exist nowhere else by now: nothing is done with it before it is safe.
    this.#unstored = { version, token };
    await this.#store(version, token);
    return (await this.read()) ?? { ...token, version: version + 1 };
  }

  async #store(version: number, token: Token): Promise<void> {
    const { store, sealer, clock } = this.#service;
    const sealed = sealer.seal(JSON.stringify(token), purposeOfToken(this.#name, version + 1));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await store.tokens.put(this.#name, version, sealed);
        this.#unstored = undefined;
        return;
      } catch (error) {
        if (attempt >= storeAttempts) throw error;
        await clock.sleep(1000);
      }
    }
  }
}
