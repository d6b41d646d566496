/** The access token of one grant: asked for when it is needed, once for all who need it, and replaced when it ends. */
import type { Clock } from "../sync/ports.ts";

export interface Token {
  readonly text: string;
  /** What asks for the next one. Undefined: the grant does so by itself. */
  readonly refreshToken: string | undefined;
  /** When it is no longer used, in ms since 1970. Undefined: when it is refused. */
  readonly endsAt: number | undefined;
  /** What the vendor said beside it. */
  readonly said: Readonly<Record<string, unknown>>;
}

/** A token as it is kept. Each one that replaces another has the next number. */
export interface KeptToken extends Token {
  readonly version: number;
}

/** Asks the vendor for a token that follows this one; null for the first. */
export type AskToken = (before: KeptToken | null) => Promise<Token>;

/** Where the token of one grant is kept: in one process, or for all of them. */
export interface TokenPlace {
  read(): Promise<KeptToken | null>;
  /** Asks for the next token and keeps it, unless somebody else does so meanwhile: then it gives theirs. */
  replace(before: KeptToken | null, ask: AskToken): Promise<KeptToken>;
}

/** Keeps a token as long as this process lives. */
export function tokenInMemory(): TokenPlace {
  let kept: KeptToken | null = null;
  return {
    read: async () => kept,
    replace: async (before, ask) => (kept = { ...(await ask(before)), version: (before?.version ?? 0) + 1 }),
  };
}

/** The token of one grant in this process. */
export class TokenKeeper {
  readonly #place: TokenPlace;
  readonly #clock: Pick<Clock, "now">;
  #known: KeptToken | null = null;
  #finding: Promise<KeptToken> | undefined;

  constructor(place: TokenPlace, clock: Pick<Clock, "now">) {
    this.#place = place;
    this.#clock = clock;
  }

  /** A token that can be used: another one than `refused`, where one was. */
  async current(ask: AskToken, refused?: KeptToken): Promise<KeptToken> {
    if (this.#isGood(this.#known, refused)) return this.#known;
    const found = await this.#find(ask, refused);
    // Whoever began to look may not have known that this one was refused.
    return refused && found.version <= refused.version ? await this.#find(ask, refused) : found;
  }

  /** One at a time: who comes meanwhile gets what is found. */
  async #find(ask: AskToken, refused: KeptToken | undefined): Promise<KeptToken> {
    this.#finding ??= this.#readOrReplace(ask, refused).finally(() => (this.#finding = undefined));
    return (this.#known = await this.#finding);
  }

  async #readOrReplace(ask: AskToken, refused: KeptToken | undefined): Promise<KeptToken> {
    const kept = await this.#place.read();
    return this.#isGood(kept, refused) ? kept : await this.#place.replace(kept, ask);
  }

  #isGood(token: KeptToken | null, refused: KeptToken | undefined): token is KeptToken {
    if (!token || (refused && token.version <= refused.version)) return false;
    return token.endsAt === undefined || token.endsAt > this.#clock.now().getTime();
  }
}
