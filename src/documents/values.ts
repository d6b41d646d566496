/**
 * The small values that documents are written with. The message of each check completes "expected …", because that is
 * how a problem prints it.
 */
import { Cron } from "croner";
import { z } from "zod";
import type { Bound } from "../sync/ports.ts";

/** The name of a document: it is part of URLs and of table names. */
export const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,62}$/,
    "a name of lower-case letters, digits, - and _ that starts with a letter and has at most 63 characters",
  );

export const text = z.string().min(1);

/** A secret, which is never written into a document: `${env:NAME}` or `${secret:NAME}`. */
export const secretVariable = z
  .string()
  .regex(
    /^\$\{(env|secret):[A-Za-z_][A-Za-z0-9_-]*\}$/,
    "${env:NAME} or ${secret:NAME}: a secret is never written into a document",
  );

/** Any value that JSON has. */
export const json: z.ZodType<z.core.util.JSONType> = z
  .lazy(() => z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]))
  .meta({ id: "Json" });

/** The name of a column as the model calls it. */
export const columnName = z.string().min(1).max(255);

/** A number that survives: YAML and JSON read a whole number of more digits as another one, without a word. */
export const exactNumber = z
  .number()
  .refine(
    (value) => !Number.isInteger(value) || Number.isSafeInteger(value),
    "a number of at most 15 digits; put a longer one in quotes to keep every digit",
  );

const durationUnits: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationPattern = /^([1-9]\d{0,5})(s|m|h|d)$/;

/** `30s`, `15m`, `1h`, `1d`. */
export const duration = z.string().regex(durationPattern, "a duration such as 15m, 1h or 1d");

/** How long a duration of a document is. */
export function durationMs(written: string): number {
  const [, count, unit] = durationPattern.exec(written) ?? [];
  const unitMs = unit === undefined ? undefined : durationUnits[unit];
  if (unitMs === undefined) throw new RangeError(`${written} is not a duration`);
  return Number(count) * unitMs;
}

const percentPattern = /^(\d{1,3}(?:\.\d{1,3})?)%$/;
const boundMessage = "a share such as 30% or a whole number of rows such as 500";

/** `30%` of the rows, or a number of rows. */
export const bound = z.union([
  z.string().refine((written) => {
    const percent = percentPattern.exec(written)?.[1];
    return percent !== undefined && Number(percent) <= 100;
  }, boundMessage),
  z.int(boundMessage).min(0),
]);

/** A bound of a document as a run uses it. */
export function toBound(written: string | number): Bound {
  if (typeof written === "number") return { rows: written };
  return { percent: Number(written.slice(0, -1)) };
}

/** An IANA time zone, such as Europe/Berlin. */
export const timezone = z.string().refine(isTimeZone, "a time zone such as UTC or Europe/Berlin");

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Five fields: minute, hour, day of month, month, day of week. */
export const cron = z
  .string()
  .refine((written) => readCron(written) !== null, {
    message: "five cron fields: minute hour day month weekday, such as 0 6 * * 1-5",
    abort: true,
  })
  .refine((written) => readCron(written)?.nextRun() !== null, "a date that comes; this one never does");

function readCron(written: string): Cron | null {
  try {
    return new Cron(written, { mode: "5-part", paused: true, timezone: "UTC" });
  } catch {
    return null;
  }
}
