/** The service's log: JSON lines on standard output, ids and counts only. A record's values never come here. */
import { type Logger, pino, stdSerializers } from "pino";

export type Log = Logger;

const redacted = [
  "req.headers.authorization",
  "req.headers.cookie",
  "*.access_token",
  "*.password",
  "*.token",
  "*.secret",
  // Where a database says more of its refusal, it repeats the row.
  "err.detail",
  "err.where",
  "err.internalQuery",
];

export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    redact: { paths: redacted, censor: "[redacted]" },
    serializers: { err: stdSerializers.err, error: stdSerializers.err },
  });
}
