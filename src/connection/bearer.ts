/** Requests with an access token, and how one is asked for. */
import { z } from "zod";
import { type Bearer, type Context, DestinationError, type TokenGrant } from "../destination.ts";
import type { Clock } from "../sync/ports.ts";
import { orStopped } from "./or-stopped.ts";
import type { AskToken, KeptToken, TokenKeeper } from "./tokens.ts";

export interface BearerSurroundings {
  /** What the token is put on. */
  readonly fetch: Context["fetch"];
  /** What tokens are asked with: their addresses have limits of their own. */
  readonly tokenFetch: Context["fetch"];
  readonly keeper: TokenKeeper;
  readonly clock: Pick<Clock, "now">;
  /** Told every secret before it is sent or used, so that no message shows it. */
  readonly learn: (secret: string) => void;
  /** Who gives the tokens, for messages. */
  readonly title: string;
}

/** Requests under a grant. */
export function openBearer(grant: TokenGrant, surroundings: BearerSurroundings): Bearer {
  const { fetch, keeper, learn } = surroundings;
  const ask: AskToken = (before) => askToken(grant, before?.refreshToken ?? grant.refreshToken, surroundings);
  const current = async (signal: AbortSignal | null | undefined, refused?: KeptToken): Promise<KeptToken> => {
    const token = await orStopped(keeper.current(ask, refused), signal ?? undefined);
    learn(token.text);
    return token;
  };
  return {
    fetch: async (url, init) => {
      const token = await current(init?.signal);
      try {
        return await fetch(url, withToken(init, token));
      } catch (error) {
        if (!(error instanceof DestinationError) || error.status !== 401) throw error;
        // It was refused before anything was applied, so it can be sent again.
        return await fetch(url, withToken(init, await current(init?.signal, token)));
      }
    },
    said: async (signal) => (await current(signal)).said,
  };
}

function withToken(init: RequestInit | undefined, { text }: KeptToken): RequestInit {
  const headers = new Headers(init?.headers);
  headers.set("authorization", `Bearer ${text}`);
  return { ...init, headers };
}

const answerSchema = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  expires_in: z.coerce.number().positive().optional(),
});
const errorSchema = z.object({ error: z.string().min(1), error_description: z.string().default("").catch("") });

/** A request may be on its way for so long; a token that lasts for less is used for half of its time. */
const marginMs = 60_000;

async function askToken(
  grant: TokenGrant,
  refreshToken: string | undefined,
  { tokenFetch, learn, clock, title }: BearerSurroundings,
): ReturnType<AskToken> {
  if (refreshToken !== undefined) learn(refreshToken);
  const refresh = refreshToken === undefined ? {} : { grant_type: "refresh_token", refresh_token: refreshToken };
  const askedAt = clock.now().getTime();
  const { status, text } = await posted(grant, { ...grant.form(), ...refresh }, tokenFetch);
  const answer = parseJson(text);
  const parsed = answerSchema.safeParse(answer);
  if (status >= 400 || !parsed.success) throw refusal(answer, status, title);
  const { access_token, refresh_token, expires_in, id_token: _, ...said } = parsed.data;
  const lastsMs = expires_in === undefined ? undefined : expires_in * 1000;
  return {
    text: access_token,
    refreshToken: refresh_token ?? refreshToken,
    endsAt: lastsMs === undefined ? undefined : askedAt + Math.max(lastsMs / 2, lastsMs - marginMs),
    said,
  };
}

/** No failure to get a token has applied anything of what the token was wanted for. */
async function posted(
  { url, headers }: TokenGrant,
  form: Readonly<Record<string, string>>,
  fetch: Context["fetch"],
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json", ...headers },
      body: new URLSearchParams(form).toString(),
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    const { kind, message, code, status, retryAfterMs, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "no", status, retryAfterMs, cause });
  }
}

/** Errors that RFC 6749 (§4.1.2.1, §5.2) and RFC 8628 (§3.5) name, and that pass by themselves. */
const passing = new Set(["temporarily_unavailable", "server_error", "slow_down"]);

function refusal(answer: unknown, status: number, title: string): DestinationError {
  const said = errorSchema.safeParse(answer).data;
  if (!said) {
    const message = `${title} was asked for an access token, and answered ${status} in a form that is not known.`;
    return new DestinationError("unavailable", message, { code: "unknown_answer", applied: "no", status });
  }
  const words = `${title} gave no access token (${status}): ${[said.error, said.error_description].filter(Boolean).join(". ")}`;
  const kind = passing.has(said.error) ? "unavailable" : "unauthorized";
  const advice = said.error === "invalid_grant" ? " Authorize Sluice there anew." : "";
  return new DestinationError(kind, `${words.replace(/\.?$/, ".")}${advice}`, {
    code: said.error,
    applied: "no",
    status,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
