/** Keeps out of all that is told what the service masks not by itself: secret headers, and a password as it is sent. */
import { DestinationError, type Outcome } from "../../src/destination.ts";
import { basicOf, type HttpConfig } from "./settings.ts";

export interface Redact {
  text(words: string): string;
  /** The same error without secrets; what is no DestinationError is not touched. */
  error(error: unknown): unknown;
  outcome(outcome: Outcome): Outcome;
}

/** What conceals the secrets of a connection. What it gives back fits one line. */
export function redactor(config: HttpConfig): Redact {
  const { bearer_token: token, password, api_key: key, signing_secret: signing } = config;
  const basic = password === undefined ? undefined : basicOf(config);
  const secrets = [token, password, basic, key, signing, ...Object.values(config.secret_headers)]
    .filter((secret) => secret !== undefined)
    .toSorted((one, other) => other.length - one.length);
  const text: Redact["text"] = (words) =>
    oneLine(secrets.reduce((masked, secret) => masked.replaceAll(secret, "[redacted]"), words));
  return {
    text,
    error: (error) => (error instanceof DestinationError ? concealed(error, text) : error),
    outcome: (outcome) => {
      switch (outcome.kind) {
        case "accepted":
          return outcome;
        case "in_doubt":
          return { ...outcome, message: text(outcome.message) };
        case "rejected": {
          const { code, message, field } = outcome;
          const named = field === undefined ? {} : { field: text(field) };
          return { ...outcome, code: text(code), message: text(message), ...named };
        }
      }
    },
  };
}

/** What a service answers must not steer a terminal or forge a line of the log. */
function oneLine(words: string): string {
  return words
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, 500);
}

function concealed(error: DestinationError, text: Redact["text"]): DestinationError {
  const message = text(error.message);
  const code = text(error.code);
  const field = error.field === undefined ? undefined : text(error.field);
  if (message === error.message && code === error.code && field === error.field) return error;
  // Without its cause, which may say again what the words no longer say.
  const { kind, applied, status, retryAfterMs } = error;
  return new DestinationError(kind, message, { code, applied, status, retryAfterMs, field });
}
