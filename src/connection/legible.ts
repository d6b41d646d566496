/** A vendor's words as people may be shown them: one line, no secret, nothing that steers a terminal or forges a log. */
import { type Connection, DestinationError, type Outcome } from "../destination.ts";
import { legible } from "../fetch.ts";

const mostLetters = 2000;
const mostOfACode = 200;

/** The same connection, but whatever the vendor said in an answer, with 2xx too, comes out legible. */
export function legibly(connection: Connection, secrets: readonly string[]): Connection {
  // Kept apart, or whoever asks could not tell what there is.
  const read = connection.read?.bind(connection);
  const resume = connection.resume?.bind(connection);
  const words = (text: string): string => legible(text, secrets).slice(0, mostLetters);
  const told = async <Result>(answer: Promise<Result>): Promise<Result> => {
    try {
      return await answer;
    } catch (error) {
      throw error instanceof DestinationError ? legibleError(error, words) : error;
    }
  };
  return {
    check: async (signal) => ({ account: words((await told(connection.check(signal))).account) }),
    objects: (signal) => told(connection.objects(signal)),
    describe: (object, settings, signal) => told(connection.describe(object, settings, signal)),
    write: async (batch, signal) =>
      (await told(connection.write(batch, signal))).map((outcome) => legibleOutcome(outcome, words)),
    ...(resume
      ? {
          resume: async (handle, signal) =>
            (await told(resume(handle, signal))).map((one) => legibleOutcome(one, words)),
        }
      : {}),
    ...(read ? { read: (batch, fields, signal) => told(read(batch, fields, signal)) } : {}),
    ignoresCase: (object, settings, field) => connection.ignoresCase?.(object, settings, field) ?? false,
    ...(connection.close ? { close: () => connection.close?.() ?? Promise.resolve() } : {}),
  };
}

function legibleOutcome(outcome: Outcome, words: (text: string) => string): Outcome {
  if (outcome.kind === "accepted") return outcome;
  const message = words(outcome.message);
  if (outcome.kind === "in_doubt") return { ...outcome, message };
  return { ...outcome, message, code: words(outcome.code).slice(0, mostOfACode) };
}

function legibleError(error: DestinationError, words: (text: string) => string): DestinationError {
  const { kind, applied, status, retryAfterMs, field, cause } = error;
  const code = words(error.code).slice(0, mostOfACode);
  return new DestinationError(kind, words(error.message), { code, applied, status, retryAfterMs, field, cause });
}
