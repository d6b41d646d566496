/** Snowflake's format models for TO_CHAR and TO_TIMESTAMP, as DuckDB's. */
import { unknownToSandbox } from "../failure.ts";

/** In the order in which they are tried: of two that begin alike the longer one first. */
const dateElements: readonly (readonly [RegExp, string])[] = [
  [/^"([^"]*)"/, "$1"],
  [/^YYYY/i, "%Y"],
  [/^YY/i, "%y"],
  [/^MMMM/i, "%B"],
  [/^MON/i, "%b"],
  [/^MM/i, "%m"],
  [/^MI/i, "%M"],
  [/^DD/i, "%d"],
  [/^DY/i, "%a"],
  [/^HH24/i, "%H"],
  [/^HH12/i, "%I"],
  [/^(AM|PM)/i, "%p"],
  [/^SS/i, "%S"],
  [/^FF3/i, "%g"],
  [/^FF6/i, "%f"],
  [/^FF9?/i, "%n"],
  [/^TZH:TZM/i, "+00:00"],
  [/^TZHTZM/i, "+0000"],
  [/^[-/:., T]/, "$&"],
];

/** The pattern for DuckDB's strftime and strptime. Timestamps with a time zone are in UTC when it is used. */
export function datePattern(format: string): string {
  let rest = format;
  let pattern = "";
  while (rest !== "") {
    const element = dateElements.find(([spelling]) => spelling.test(rest));
    if (element === undefined) throw unknownToSandbox(`the format '${format}' at '${rest}'`);
    const [found = ""] = element[0].exec(rest) ?? [];
    const [spelling, replacement] = element;
    pattern += replacement.startsWith("%") ? replacement : found.replace(spelling, replacement).replaceAll("%", "%%");
    rest = rest.slice(found.length);
  }
  return pattern;
}

/** Whether a format asks for the time of day only, so that a TIME can be meant. */
export function isTimeOnly(format: string): boolean {
  return !/Y|MM|MON|DD|DY/i.test(format.replaceAll(/"[^"]*"/g, ""));
}

/** How a number is written: with an exponent, or with so many digits before and after the point. */
export type NumberFormat =
  | { readonly exponent: true; readonly signed: boolean; readonly decimals: number }
  | { readonly exponent: false; readonly pattern: string; readonly width: number };

/** A format model of numbers; null when it is none. */
export function numberFormat(format: string): NumberFormat | null {
  const scientific = /^(S?)9(?:\.(9*))?E{2,5}$/i.exec(format);
  if (scientific !== null) {
    const [, sign = "", decimals = ""] = scientific;
    return { exponent: true, signed: sign !== "", decimals: decimals.length };
  }
  const fixed = /^(FM)?([09,]+)(?:\.([09]+))?$/i.exec(format);
  if (fixed === null) return null;
  const [, compact, whole = "", decimals = ""] = fixed;
  const digits = decimals === "" ? whole.length : whole.length + 1 + decimals.length;
  const zeros = /^0[09]/.test(whole) ? `0${digits}` : "";
  const pattern = `{:${zeros}${whole.includes(",") ? "," : ""}.${decimals.length}f}`;
  // A place is kept for the sign.
  return { exponent: false, pattern, width: compact === undefined ? digits + 1 : 0 };
}
