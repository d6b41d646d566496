/** Turns canonical cell text into the value that a destination field takes, or says why it cannot. */
import type { Field, FieldType, Value } from "../destination.ts";
import { type ColumnType, InvalidValue } from "../mapping.ts";

export type Coercion = (text: string) => Value;

/** The coercion from a column's type to a field, chosen once for a run. */
export function coercion(from: ColumnType, field: Field): Coercion {
  const convert = converters[field.type](from, field);
  const { maxLength } = field;
  if (maxLength === undefined) return convert;
  return (text) => {
    const value = convert(text);
    if (typeof value === "string" && value.length > maxLength) {
      throw new InvalidValue("too_long", `has ${value.length} characters; the destination takes ${maxLength}`);
    }
    return value;
  };
}

const converters: Readonly<Record<FieldType, (from: ColumnType, field: Field) => Coercion>> = {
  text: () => (text) => text,
  number: (from, field) => (text) => plainly(text, from, field) ?? numberValue(decimalText(from, text), field),
  integer: (from, field) => (text) => {
    const plain = plainly(text, from, field);
    if (plain !== undefined && Number.isInteger(plain)) return plain;
    const digits = decimalText(from, text);
    if (digits.includes(".")) throw new InvalidValue("not_an_integer", `${show(text)} is not a whole number`);
    return numberValue(digits, field);
  },
  boolean: () => booleanValue,
  date: (from) => (text) => instant(from, text).slice(0, 10),
  datetime: (from) => (text) => instant(from, text),
  enum: (_, field) => (text) => option(text, field),
  multi_enum: (from, field) => (text) => choices(from, text).map((choice) => option(choice, field)),
  json: jsonCoercion,
};

/** The number that a text is, where it is written as JavaScript writes it: then no digit of it is lost. Undefined else. */
function plainly(text: string, from: ColumnType, { exact = false }: Field): number | undefined {
  if (exact || !hasNumbers(from)) return undefined;
  const number = Number(text);
  const isKept = Number.isInteger(number) ? Number.isSafeInteger(number) : Number.isFinite(number);
  return isKept && String(number) === text ? number : undefined;
}

function hasNumbers(from: ColumnType): boolean {
  return from !== "boolean" && from !== "date" && from !== "json";
}

const plainNumber = /^([+-]?)(\d+)(?:\.(\d*))?$/;
const scientificNumber = /^([+-]?)(\d+)(?:\.(\d*))?[eE]([+-]?\d{1,3})$/;

/** Plain decimal digits: no exponent, no leading plus or zeros, no trailing zeros. */
function decimalText(from: ColumnType, text: string): string {
  if (!hasNumbers(from)) {
    throw new InvalidValue("not_a_number", `${show(text)} is not a number`);
  }
  const trimmed = text.trim();
  const plain = plainNumber.exec(trimmed);
  if (plain) return normalDigits(plain[1] ?? "", plain[2] ?? "", plain[3] ?? "");
  const scientific = scientificNumber.exec(trimmed);
  if (scientific) return shiftedDigits(scientific);
  throw new InvalidValue("not_a_number", `${show(text)} is not a number`);
}

function shiftedDigits([, sign = "", whole = "", fraction = "", exponentText = "0"]: readonly string[]): string {
  const exponent = Number(exponentText);
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return normalDigits(sign, "0", "0".repeat(-point) + digits);
  return normalDigits(sign, digits.slice(0, point).padEnd(point, "0"), digits.slice(point));
}

function normalDigits(sign: string, whole: string, fraction: string): string {
  const integer = whole.replace(/^0+(?=\d)/, "");
  const decimals = fraction.replace(/0+$/, "");
  const digits = decimals === "" ? integer : `${integer}.${decimals}`;
  return sign === "-" && digits !== "0" ? `-${digits}` : digits;
}

function numberValue(digits: string, field: Field): Value {
  if (field.exact) return digits;
  const number = Number(digits);
  // A double holds fifteen significant digits for sure; beyond that the value must read back as the same digits.
  const significant = digits.replace(/^-?0*\.?0*/, "").replace(".", "").length;
  if (significant <= 15 || exactly(number) === digits) return number;
  throw new InvalidValue("number_not_exact", `${show(digits)} has more digits than the destination keeps`);
}

function exactly(number: number): string {
  return Number.isInteger(number) ? BigInt(number).toString() : String(number);
}

const truths: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["t", true],
  ["yes", true],
  ["y", true],
  ["1", true],
  ["false", false],
  ["f", false],
  ["no", false],
  ["n", false],
  ["0", false],
]);

function booleanValue(text: string): boolean {
  const value = truths.get(text.trim().toLowerCase());
  if (value === undefined) throw new InvalidValue("not_a_boolean", `${show(text)} is neither true nor false`);
  return value;
}

const isoInstant =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/** An ISO instant in UTC with six digits of a second. A value without a zone counts as UTC, a date as its midnight. */
function instant(from: ColumnType, text: string): string {
  // As warehouses write them.
  if (from === "timestamptz" && text.length === 27) return text;
  if (from === "date" && text.length === 10) return `${text}T00:00:00.000000Z`;
  const parts = isoInstant.exec(text.trim());
  if (!parts) throw notADate(text);
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = parts;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) throw notADate(text);
  date.setTime(date.getTime() - zoneMinutes(zone) * 60_000);
  return `${date.toISOString().slice(0, 19)}.${fraction.slice(1).slice(0, 6).padEnd(6, "0")}Z`;
}

function zoneMinutes(zone: string): number {
  if (zone === "Z") return 0;
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return zone.startsWith("-") ? -minutes : minutes;
}

function notADate(text: string): InvalidValue {
  return new InvalidValue("not_a_date", `${show(text)} is not a date such as 2026-11-23 or 2026-11-23T09:30:00Z`);
}

/** A column that holds `[…]` lists its choices; text separates them with semicolons, as people write them. */
function choices(from: ColumnType, text: string): readonly string[] {
  if (from !== "json")
    return text
      .split(";")
      .map((choice) => choice.trim())
      .filter((choice) => choice !== "");
  const parsed = parseJson(text);
  if (!Array.isArray(parsed)) throw new InvalidValue("not_a_list", `${show(text)} is not a list`);
  return parsed.map((choice) => (typeof choice === "string" ? choice : JSON.stringify(choice)));
}

function option(text: string, field: Field): string {
  const { options } = field;
  if (options === undefined || options.some((candidate) => candidate.value === text)) return text;
  const lower = text.trim().toLowerCase();
  const close = options.find(({ value, title }) => value.toLowerCase() === lower || title.toLowerCase() === lower);
  const advice = close
    ? `use ${show(close.value)}`
    : `it takes ${options
        .slice(0, 12)
        .map(({ value }) => show(value))
        .join(", ")}${options.length > 12 ? ", …" : ""}`;
  throw new InvalidValue("not_an_option", `${show(text)} is not an option of the field; ${advice}`);
}

function jsonCoercion(from: ColumnType, field: Field): Coercion {
  switch (from) {
    case "json":
      return parseJson;
    case "integer":
    case "decimal":
    case "float":
      return converters.number(from, field);
    case "boolean":
      return booleanValue;
    default:
      return (text) => text;
  }
}

function parseJson(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    throw new InvalidValue("not_json", `${show(text)} is not JSON`);
  }
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
