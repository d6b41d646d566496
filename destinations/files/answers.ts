/** What S3 says in a failure beyond its status. */
import type { FailedResponse, FailureHint } from "../../src/destination.ts";

const part = (name: string, body: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];

export function storageFailure({ status, body }: FailedResponse): FailureHint | undefined {
  const code = part("Code", body);
  if (code === undefined) return undefined;
  const message = part("Message", body) ?? code;
  if (status === 503 && code === "SlowDown") return { kind: "busy", code, message };
  // The bucket is somewhere else, which only a person can say.
  const elsewhere = status === 301 || status === 307 ? " Correct region or base_url." : "";
  return { code, message: `${message}${elsewhere}` };
}
