/** The sessions that are open, by the tokens that their clients hold. */
import { randomBytes } from "node:crypto";
import type { Engine } from "./engine.ts";
import { SnowflakeFailure } from "./failure.ts";
import { Session, type Place } from "./session.ts";

export interface Tokens {
  readonly token: string;
  readonly masterToken: string;
}

interface Held {
  readonly session: Session;
  readonly masterToken: string;
  expiresAt: number;
}

/** How long a master token would be good for. It never runs out here. */
export const masterTokenSeconds = 14_400;

export class Sessions {
  readonly #engine: Engine;
  readonly #tokenSeconds: number;
  readonly #byToken = new Map<string, Held>();
  readonly #byMaster = new Map<string, Session>();
  /** Tokens of sessions that are closed: they get another answer than those that never were. */
  readonly #gone = new Set<string>();
  #lastId = 0;

  constructor(engine: Engine, tokenSeconds: number) {
    this.#engine = engine;
    this.#tokenSeconds = tokenSeconds;
  }

  async open(user: string, place: Place): Promise<{ session: Session; tokens: Tokens }> {
    const connection = await this.#engine.connect();
    this.#lastId += 1;
    const session = new Session(this.#lastId, user, place, connection, this.#engine);
    await session.moveTo({});
    const masterToken = newToken();
    this.#byMaster.set(masterToken, session);
    return { session, tokens: { token: this.#issue(session, masterToken), masterToken } };
  }

  /** The session whose token a request carries. Throws when it ran out or is not known. */
  find(authorization: string | undefined): Session {
    const token = tokenIn(authorization);
    const held = this.#byToken.get(token);
    if (held === undefined && this.#gone.has(token)) {
      throw new SnowflakeFailure(
        "390111",
        "08001",
        "Session no longer exists. New login required to access the service.",
      );
    }
    if (held === undefined) {
      throw new SnowflakeFailure("390104", "08001", "Session token is invalid or no longer exists.");
    }
    if (held.expiresAt < Date.now()) throw expired();
    return held.session;
  }

  /** New tokens for who holds the master token. The old session token is good no more. */
  renew(authorization: string | undefined): { session: Session; tokens: Tokens } {
    const masterToken = tokenIn(authorization);
    const session = this.#byMaster.get(masterToken);
    if (session === undefined) {
      throw new SnowflakeFailure(
        "390114",
        "08001",
        "Authentication token has expired. The user must authenticate again.",
      );
    }
    for (const [token, held] of this.#byToken) if (held.masterToken === masterToken) this.#byToken.delete(token);
    return { session, tokens: { token: this.#issue(session, masterToken), masterToken } };
  }

  /** Lets a session's token run out now. */
  expire(session: Session): void {
    for (const held of this.#byToken.values()) if (held.session === session) held.expiresAt = 0;
  }

  async close(session: Session): Promise<void> {
    for (const [token, held] of this.#byToken) {
      if (held.session !== session) continue;
      this.#byToken.delete(token);
      this.#byMaster.delete(held.masterToken);
      this.#gone.add(token);
    }
    await session.close();
  }

  all(): readonly Session[] {
    return [...new Set(this.#byMaster.values())];
  }

  async closeAll(): Promise<void> {
    for (const session of this.all()) await this.close(session);
  }

  #issue(session: Session, masterToken: string): string {
    const token = newToken();
    this.#byToken.set(token, { session, masterToken, expiresAt: Date.now() + this.#tokenSeconds * 1000 });
    return token;
  }
}

/** What makes a client renew its token. */
export function expired(): SnowflakeFailure {
  return new SnowflakeFailure("390112", "08001", "Your session has expired. Please login again.");
}

function newToken(): string {
  return randomBytes(32).toString("base64url");
}

function tokenIn(authorization: string | undefined): string {
  return /^Snowflake Token="(.*)"$/.exec(authorization ?? "")?.[1] ?? "";
}
