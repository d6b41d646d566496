/** Values → what Postgres reads, and those that it would refuse, or keep as others, told before anything is sent. */
import type { Value } from "../../src/destination.ts";
import type { Column } from "./catalog.ts";
import { typeOf } from "./fields.ts";

/** Why a value is not sent. */
export interface Unfit {
  readonly code: string;
  readonly message: string;
}

/** Null: SQL's NULL. */
export type Written = string | null | Unfit;

export function writtenOf(value: Value, column: Column): Written {
  if (value === null) {
    if (!column.notNull) return null;
    return unfit("not_clearable", "The column takes no NULL.");
  }
  const text = textOf(value, column);
  if (typeof text !== "string") return text;
  // Sent as bytes, half of a character would be written as another one.
  if (text.includes("\0") || !text.isWellFormed())
    return unfit("not_storable", "Postgres keeps no NUL character and no half of a character.");
  return faultOf(text, column) ?? text;
}

function textOf(value: Value, column: Column): string | Unfit {
  if (typeOf(column) === "json" && column.element === null) return jsonOf(value, column);
  if (column.element !== null) {
    if (!Array.isArray(value)) return unfit("not_a_list", "The column takes a list.");
    return arrayOf(value);
  }
  if (typeof value === "object") return unfit("not_text", "The column takes one value, not a list or an object.");
  return column.base === "bytea" ? `\\x${value}` : String(value);
}

function jsonOf(value: Value, { base }: Column): string | Unfit {
  const text = JSON.stringify(value);
  if (base === "jsonb" && /(?<!\\)(\\\\)*\\u0000/.test(text))
    return unfit("not_storable", "jsonb keeps no NUL character.");
  return text;
}

/** A list as Postgres writes an array; every text in quotes, so that NULL and {} are texts. */
function arrayOf(list: readonly Value[]): string {
  const parts = list.map((one): string => {
    if (one === null) return "NULL";
    if (Array.isArray(one)) return arrayOf(one);
    const text = typeof one === "object" ? JSON.stringify(one) : String(one);
    return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  });
  return `{${parts.join(",")}}`;
}

const integers: Readonly<Record<string, bigint>> = { int2: 1n << 15n, int4: 1n << 31n, int8: 1n << 63n };
const uuid = /^\{?[\da-f]{4}(?:-?[\da-f]{4}){7}\}?$/i;

/** What is wrong with a text for its column, as far as the column's type tells. */
function faultOf(text: string, column: Column): Unfit | null {
  const { base, element, options, length } = column;
  if (element !== null) return null;
  const most = integers[base];
  if (most !== undefined) return integerFault(text, most);
  if (base === "numeric") return numericFault(text, column);
  const characters = lengthOf(text);
  if (length !== null && characters > length)
    return unfit("too_long", `The column takes ${length} characters, not ${characters}.`);
  if (options !== null && !options.includes(text))
    return unfit("not_an_option", `The column takes ${options.slice(0, 12).join(", ")}.`);
  if (base === "uuid" && !uuid.test(text)) return unfit("not_a_uuid", "The column takes a UUID.");
  if (base === "bytea" && !/^\\x(?:[\da-f]{2})*$/i.test(text))
    return unfit("not_hex", "The column takes bytes as pairs of hexadecimal digits.");
  if (base === "bool" && !/^(?:true|false)$/.test(text))
    return unfit("not_a_boolean", "The column takes true or false.");
  return null;
}

/** As Postgres counts: code points. */
const lengthOf = (text: string): number =>
  text.length - (text.match(/[\ud800-\udbff](?=[\udc00-\udfff])/g)?.length ?? 0);

function integerFault(text: string, most: bigint): Unfit | null {
  if (!/^-?\d{1,40}$/.test(text)) return unfit("not_an_integer", "The column takes whole numbers.");
  const number = BigInt(text);
  if (number >= -most && number < most) return null;
  return unfit("out_of_range", `The column takes whole numbers from ${-most} to ${most - 1n}.`);
}

/** Digits that the column has no room for Postgres would round away without a word. */
function numericFault(text: string, { precision, scale }: Column): Unfit | null {
  const parts = /^-?0*(?<whole>\d*)(?:\.(?<fraction>\d*?)0*)?$/.exec(text)?.groups;
  if (!parts) return /^-?[\d.]+e[+-]?\d+$/i.test(text) ? null : unfit("not_a_number", "The column takes numbers.");
  if (precision === null || scale === null) return null;
  const { whole = "", fraction = "" } = parts;
  if (fraction.length > Math.max(0, scale))
    return unfit("number_not_exact", `The column keeps ${scale} digits after the point, not ${fraction.length}.`);
  if (whole.length > precision - scale)
    return unfit("out_of_range", `The column keeps ${precision - scale} digits before the point.`);
  return null;
}

const unfit = (code: string, message: string): Unfit => ({ code, message });
