/** Which values a field takes, how Pipedrive takes them, and whether it kept them. Pure. */
import { z } from "zod";
import type { Value } from "../../src/destination.ts";
import type { Reason } from "./errors.ts";
import type { Kind, Known, KnownFields } from "./known.ts";
import { asEntries, isEmail, isPhone } from "./lists.ts";

/** What a kind of field takes, the code of a value that is not of it, and the value as Pipedrive takes it. */
interface Form {
  readonly code: string;
  readonly wanted: string;
  /** Undefined: the value does not fit. Null: it clears. */
  readonly wire: (value: Value) => Value | undefined;
}

/** A value as Pipedrive takes it, or why it would refuse it or keep another. */
export function wireOf(
  field: string,
  value: Value,
  fields: KnownFields,
): { readonly wire: Value } | { readonly misfit: Reason } {
  const known = fields.get(field);
  if (!known) return misfit("unknown_field", field, `There is no field "${field}" in Pipedrive, or not any more.`);
  if (!known.writable) return misfit("not_writable", field, `"${known.title}" cannot be written.`);
  if (value === null || (value === "" && known.kind === "text"))
    return known.lasting ? notClearable(known) : { wire: emptied(known.kind) };
  if (typeof value === "string" && known.maxLength !== undefined && value.length > known.maxLength)
    return misfit("too_long", field, `"${known.title}" takes at most ${known.maxLength} characters.`);
  if (known.kind === "option" || known.kind === "options") return chosen(known, value);
  const { code, wanted, wire } = forms[known.kind];
  const sent = wire(value);
  if (sent === undefined) return misfit(code, field, `"${known.title}" takes ${wanted}.`);
  return sent === null && known.lasting ? notClearable(known) : { wire: sent };
}

function notClearable({ name, title }: Known): { readonly misfit: Reason } {
  return misfit("not_clearable", name, `"${title}" cannot be cleared. Map it with when_null: skip.`);
}

/** Lists are emptied; anything else is cleared by null. */
function emptied(kind: Kind): Value {
  return kind === "emails" || kind === "phones" || kind === "options" ? [] : null;
}

/** Labels as the ids that Pipedrive takes. */
function chosen(
  { name, title, kind, options = new Map() }: Known,
  value: Value,
): { readonly wire: Value } | { readonly misfit: Reason } {
  if (kind === "options" && !Array.isArray(value))
    return misfit("not_a_list", name, `"${title}" takes a list of options.`);
  const labels: readonly Value[] = Array.isArray(value) ? value : [value];
  const ids = labels.map((label) => (typeof label === "string" ? options.get(label) : undefined));
  const given = ids.filter((id) => id !== undefined);
  if (given.length === ids.length) return { wire: kind === "options" ? [...new Set(given)] : (given[0] ?? null) };
  const some = [...options.keys()].slice(0, 12).join(", ");
  const more = options.size > 12 ? ", …" : "";
  return misfit("not_an_option", name, `"${title}" takes one of its options: ${some}${more}.`);
}

function misfit(code: string, field: string, message: string): { readonly misfit: Reason } {
  return { misfit: { code, field, message } };
}

const moneySchema = z.strictObject({ value: z.number(), currency: z.string().regex(/^[A-Z]{3}$/) });

const addressSchema = z.strictObject({
  value: z.string().trim().min(1),
  route: z.string().nullish(),
  street_number: z.string().nullish(),
  subpremise: z.string().nullish(),
  sublocality: z.string().nullish(),
  locality: z.string().nullish(),
  admin_area_level_1: z.string().nullish(),
  admin_area_level_2: z.string().nullish(),
  country: z.string().nullish(),
  postal_code: z.string().nullish(),
  formatted_address: z.string().nullish(),
});

const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/);
const timeSchema = z.strictObject({ value: time, timezone_name: z.string().min(1).optional() });
const timeRangeSchema = timeSchema.extend({ until: time });
const date = z.string().refine(isDate);
const dateRangeSchema = z.strictObject({ value: date, until: date }).refine(({ value, until }) => value <= until);

/** Parts of a field that are all null, or whose main one is, clear it. */
function isCleared(value: Value): boolean {
  const parts = z.object({ value: z.null() }).loose().safeParse(value).data;
  return parts !== undefined && Object.entries(parts).every(([name, part]) => part === null || name === "currency");
}

/** A field with parts; where text alone is enough, `whole` says of which part. */
function parts(schema: z.ZodType, whole?: (value: string) => Value): (value: Value) => Value | undefined {
  return (value) => {
    if (isCleared(value)) return null;
    const given = typeof value === "string" && whole ? whole(value) : value;
    return schema.safeParse(given).success ? given : undefined;
  };
}

function when(fits: (value: Value) => boolean): (value: Value) => Value | undefined {
  return (value) => (fits(value) ? value : undefined);
}

const forms: Readonly<Record<Exclude<Kind, "option" | "options">, Form>> = {
  text: { code: "not_text", wanted: "text", wire: when((value) => typeof value === "string") },
  number: { code: "not_a_number", wanted: "a number", wire: when((value) => Number.isFinite(value)) },
  integer: { code: "not_an_integer", wanted: "a whole number", wire: when((value) => Number.isSafeInteger(value)) },
  percent: {
    code: "not_a_percentage",
    wanted: "a whole number from 0 to 100",
    wire: when((value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100),
  },
  id: {
    code: "not_an_id",
    wanted: "the number by which Pipedrive knows what is meant",
    wire: when((value) => Number.isSafeInteger(value) && Number(value) > 0),
  },
  boolean: { code: "not_a_boolean", wanted: "true or false", wire: when((value) => typeof value === "boolean") },
  date: { code: "not_a_date", wanted: "a date, such as 2026-11-24", wire: when((value) => isDate(value)) },
  date_range: {
    code: "not_a_range",
    wanted: "two dates, the first before the second: { value: 2026-11-24, until: 2026-11-30 }",
    wire: parts(dateRangeSchema),
  },
  time: {
    code: "not_a_time_of_day",
    wanted: "a time such as 09:30, or { value, timezone_name }",
    wire: parts(timeSchema, (value) => ({ value: value.trim() })),
  },
  time_range: {
    code: "not_a_range",
    wanted: "two times: { value: 09:30, until: 17:00 }, with a timezone_name if you like",
    wire: parts(timeRangeSchema),
  },
  money: {
    code: "not_money",
    wanted: "an amount with its currency: { value: 12.5, currency: EUR }",
    wire: parts(moneySchema),
  },
  currency: {
    code: "not_a_currency",
    wanted: "a currency, such as EUR",
    wire: when((value) => typeof value === "string" && /^[A-Z]{3}$/.test(value)),
  },
  address: {
    code: "not_an_address",
    wanted: "text, or { value } with the whole address and such parts as locality, postal_code and country",
    wire: parts(addressSchema, (value) => ({ value })),
  },
  email: { code: "not_an_email", wanted: "an e-mail address", wire: (value) => oneOf(value, isEmail) },
  phone: { code: "not_a_phone", wanted: "a phone number", wire: (value) => oneOf(value, isPhone) },
  emails: {
    code: "not_an_email",
    wanted: "e-mail addresses: a list of texts, or of { value, label, primary } of which one is primary",
    wire: (value) => asEntries(value, isEmail),
  },
  phones: {
    code: "not_a_phone",
    wanted: "phone numbers: a list of texts, or of { value, label, primary } of which one is primary",
    wire: (value) => asEntries(value, isPhone),
  },
};

function oneOf(value: Value, fits: (text: string) => boolean): string | undefined {
  return typeof value === "string" && fits(value.trim()) ? value.trim() : undefined;
}

function isDate(value: Value): boolean {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const at = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value);
}

/**
 * Whether Pipedrive shows what was sent. It may shape texts, addresses, phones and times anew, so those count as kept when there
 * is anything; where it does not show the field at all, it is believed.
 */
export function isKept(sent: Value, shown: unknown, kind: Kind): boolean {
  if (shown === undefined) return true;
  if (sent === null || (Array.isArray(sent) && sent.length === 0))
    return shown === null || shown === "" || (Array.isArray(shown) && shown.length === 0) || isCleared(shown as Value);
  switch (kind) {
    case "number":
    case "percent":
    case "integer":
    case "id":
      return isSameNumber(Number(sent), shown);
    case "options":
      return isSameSet(sent, shown);
    case "money": {
      const [one, other] = [
        moneySchema.safeParse(sent).data,
        z.looseObject({ value: z.unknown() }).safeParse(shown).data,
      ];
      return isSameNumber(one?.value ?? Number.NaN, other?.value) && one?.currency === other?.["currency"];
    }
    case "text":
    case "date":
    case "boolean":
    case "currency":
    case "option":
      return asText(sent) === asText(shown);
    default:
      return shown !== null;
  }
}

/** A number with more digits than Pipedrive keeps is kept as far as it goes. */
function isSameNumber(sent: number, shown: unknown): boolean {
  return typeof shown === "number" && Math.abs(sent - shown) <= Math.abs(sent) * 1e-12;
}

function isSameSet(sent: Value, shown: unknown): boolean {
  if (!Array.isArray(sent) || !Array.isArray(shown)) return false;
  return sent.length === shown.length && sent.every((one) => shown.includes(one));
}

function asText(value: unknown): string {
  return typeof value === "string" ? value.trim().replaceAll(/\s+/g, " ") : JSON.stringify(value);
}
