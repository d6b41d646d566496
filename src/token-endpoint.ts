/** A vendor's token endpoint, as its sandbox has it: refresh tokens that may be used once, access tokens that end. */
import { z } from "zod";

/** What a sandbox is seeded with: the apps that were authorized, and the refresh token that each was given. */
export const appsSchema = z
  .array(
    z.strictObject({
      client_id: z.string(),
      client_secret: z.string().optional(),
      refresh_token: z.string(),
      lasts_seconds: z.int().default(1800),
      /** Each refresh token is good for one request; one that comes again ends them all. */
      rotates: z.boolean().default(false),
    }),
  )
  .default([]);

interface App {
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly lasts_seconds: number;
  readonly rotates: boolean;
  /** The newest; null when somebody used an older one. */
  refreshToken: string | null;
  readonly used: Set<string>;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: unknown;
}

export class TokenEndpoint {
  readonly #now: () => number;
  readonly #prefix: string;
  readonly #apps: readonly App[];
  readonly #ends = new Map<string, number>();
  #given = 0;

  constructor(
    apps: z.output<typeof appsSchema>,
    { prefix, now }: { readonly prefix: string; readonly now: () => number },
  ) {
    this.#now = now;
    this.#prefix = prefix;
    this.#apps = apps.map(({ refresh_token: refreshToken, ...app }) => ({ ...app, refreshToken, used: new Set() }));
  }

  /** Whether an access token is one of its own that has not ended. */
  opens(token: string): boolean {
    return (this.#ends.get(token) ?? 0) > this.#now();
  }

  answer(form: Readonly<Record<string, string>>): TokenAnswer {
    const { grant_type, refresh_token = "", client_id, client_secret } = form;
    if (grant_type !== "refresh_token") return denied("unsupported_grant_type", "The grant type is not supported.");
    const app = this.#apps.find((one) => one.client_id === client_id && one.client_secret === client_secret);
    if (!app) return denied("invalid_client", "Client authentication failed.");
    if (app.used.has(refresh_token)) app.refreshToken = null;
    if (refresh_token !== app.refreshToken) return denied("invalid_grant", "The refresh token is expired or revoked.");
    return { status: 200, body: this.#next(app) };
  }

  #next(app: App): unknown {
    this.#given += 1;
    const access_token = `${this.#prefix}-access-${this.#given}`;
    this.#ends.set(access_token, this.#now() + app.lasts_seconds * 1000);
    const answer = { access_token, token_type: "bearer", expires_in: app.lasts_seconds };
    if (!app.rotates) return answer;
    app.used.add(app.refreshToken ?? "");
    app.refreshToken = `${this.#prefix}-refresh-${this.#given}`;
    return { ...answer, refresh_token: app.refreshToken };
  }
}

function denied(error: string, error_description: string): TokenAnswer {
  return { status: 400, body: { error, error_description } };
}
