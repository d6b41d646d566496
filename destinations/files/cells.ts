/** Values → cells, and those that no file could hold as they are. */
import type { Value } from "../../src/destination.ts";
import type { columnTypes } from "./settings.ts";

export type ColumnType = (typeof columnTypes)[number];

/** Why a value is not written. */
export interface Unfit {
  readonly code: string;
  readonly message: string;
}

/** The text of a value by its column's type; null for none. */
export function cellOf(value: Value | undefined, type: ColumnType): string | null | Unfit {
  if (value === undefined || value === null) return null;
  if (type === "json") return textCell(JSON.stringify(value));
  if (typeof value === "object") return unfit("not_text", "The column takes one value, not a list or an object.");
  const text = String(value);
  return faults[type]?.(text) ?? textCell(text);
}

/** Most readers end a text at a NUL; half of a character would be written as another one. */
function textCell(text: string): string | Unfit {
  if (!text.includes("\0") && text.isWellFormed()) return text;
  return unfit("not_storable", "A file keeps no NUL character and no half of a character.");
}

const largest = 1n << 63n;

const faults: Partial<Readonly<Record<ColumnType, (text: string) => Unfit | null>>> = {
  number: (text) => {
    return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text) ? null : unfit("not_a_number", "The column takes numbers.");
  },
  integer: (text) => {
    if (!/^-?\d{1,40}$/.test(text)) return unfit("not_an_integer", "The column takes whole numbers.");
    const fits = BigInt(text) >= -largest && BigInt(text) < largest;
    return fits ? null : unfit("out_of_range", "The column takes whole numbers of 64 bits.");
  },
  boolean: (text) => {
    return /^(?:true|false)$/.test(text) ? null : unfit("not_a_boolean", "The column takes true or false.");
  },
  date: (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? null : unfit("not_a_date", "The column takes dates.")),
  datetime: (text) => {
    const fits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text);
    return fits ? null : unfit("not_a_time", "The column takes times in UTC.");
  },
};

const unfit = (code: string, message: string): Unfit => ({ code, message });
