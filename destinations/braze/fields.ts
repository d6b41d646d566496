/** The fields that users of every workspace have, and which values Braze keeps as they are. Pure. */
import type { DestinationRecord, Field, FieldType, Value } from "../../src/destination.ts";

export const idField = "external_id";
/** Custom attributes are named beneath it: `attributes.plan`. */
const custom = "attributes";

/** Braze keeps no more of a text, and says nothing. */
const mostCharacters = 255;

export interface Misfit {
  readonly code: string;
  readonly message: string;
  readonly field: string;
}

type Check = (value: Value) => boolean;

interface Standard {
  readonly title: string;
  readonly type?: FieldType;
  /** Why a value is none, and how to tell. Absent: any text is one. */
  readonly check?: readonly [code: string, words: string, fits: Check];
  readonly options?: readonly string[];
}

const countryNames = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

const matching =
  (expression: RegExp): Check =>
  (value) =>
    typeof value === "string" && expression.test(value);

const standard: Readonly<Record<string, Standard>> = {
  email: {
    title: "E-mail address",
    check: ["not_an_email", "takes an e-mail address", matching(/^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@.,;<>"]+$/)],
  },
  first_name: { title: "First name" },
  last_name: { title: "Last name" },
  phone: {
    title: "Phone, such as +14155552671",
    check: [
      "not_e164",
      "takes a phone number with its country's code, such as +14155552671",
      matching(/^\+[1-9]\d{6,14}$/),
    ],
  },
  country: {
    title: "Country, such as DE",
    check: ["not_a_country", "takes the two letters of a country, such as DE", isCountry],
  },
  home_city: { title: "City" },
  language: {
    title: "Language, such as de",
    check: ["not_a_language", "takes the two letters of a language, such as de", matching(/^[a-z]{2}$/)],
  },
  time_zone: {
    title: "Time zone, such as Europe/Berlin",
    check: ["not_a_time_zone", "takes a time zone, such as Europe/Berlin", isTimeZone],
  },
  dob: { title: "Date of birth", type: "date", check: ["not_a_date", "takes a date, such as 1980-12-21", isDate] },
  gender: {
    title: "Gender: M, F, O, N (not applicable), P (prefers not to say)",
    type: "enum",
    options: ["M", "F", "O", "N", "P"],
  },
  email_subscribe: { title: "E-mail subscription", type: "enum", options: ["opted_in", "subscribed", "unsubscribed"] },
  push_subscribe: { title: "Push subscription", type: "enum", options: ["opted_in", "subscribed", "unsubscribed"] },
};

/** Names that mean something else to Braze, so that no custom attribute may have them. */
const reserved = new Set([
  ...Object.keys(standard),
  idField,
  "braze_id",
  "user_alias",
  "_update_existing_only",
  "_merge_objects",
  "push_tokens",
]);

export const fields: readonly Field[] = [
  {
    name: idField,
    title: "External ID",
    type: "text",
    writable: true,
    matches: true,
    matching: "exact",
    maxLength: 997,
  },
  ...Object.entries(standard).map(([name, { title, type = "text", options }]): Field => ({
    name,
    title,
    type,
    writable: true,
    matches: false,
    ...(type === "text" ? { maxLength: mostCharacters } : {}),
    ...(options ? { options: options.map((value) => ({ value, title: value })) } : {}),
  })),
  { name: custom, title: "Custom attributes, such as attributes.plan", type: "json", writable: true, matches: false },
];

/** A record as one object of attributes, or why Braze would refuse it or keep another value. Null clears. */
export function attributesOf(
  record: DestinationRecord,
): { readonly attributes: DestinationRecord } | { readonly misfit: Misfit } {
  const attributes: Record<string, Value> = {};
  for (const [field, value] of Object.entries(record)) {
    if (field === idField) continue;
    const named = namedIn(field, value);
    if ("misfit" in named) return named;
    for (const [name, inner] of named.pairs) {
      const misfit = field === name ? standardMisfit(field, inner) : customMisfit(field, name, inner);
      if (misfit) return { misfit };
      if (Object.hasOwn(attributes, name))
        return { misfit: misfitOf("attribute_twice", field, `is mapped to "${name}" twice`) };
      attributes[name] = inner;
    }
  }
  return { attributes };
}

type Pairs = readonly (readonly [name: string, value: Value])[];

function namedIn(field: string, value: Value): { readonly pairs: Pairs } | { readonly misfit: Misfit } {
  if (field.startsWith(`${custom}.`)) return { pairs: [[field.slice(custom.length + 1), value]] };
  if (field !== custom) return { pairs: [[field, value]] };
  if (isObject(value)) return { pairs: Object.entries(value) };
  // Nothing tells which attributes a whole column of them had before.
  const [code, words] =
    value === null
      ? (["cannot_clear", "cannot be cleared as a whole"] as const)
      : (["not_an_object", "takes a JSON object"] as const);
  return { misfit: misfitOf(code, field, words) };
}

function standardMisfit(field: string, value: Value): Misfit | undefined {
  const known = standard[field];
  if (!known)
    return misfitOf("unknown_field", field, `is no field of a user: map "${custom}.${field}" for a custom attribute`);
  if (value === null) return undefined;
  if (known.options && !known.options.some((option) => option === value))
    return misfitOf("not_an_option", field, `takes one of: ${known.options.join(", ")}`);
  if (known.check && !known.check[2](value)) return misfitOf(known.check[0], field, known.check[1]);
  if (typeof value !== "string") return misfitOf("not_text", field, "takes text");
  return tooLong(field, value);
}

function customMisfit(field: string, name: string, value: Value): Misfit | undefined {
  if (reserved.has(name))
    return misfitOf("reserved_name", field, `cannot be a custom attribute: "${name}" means something else to Braze`);
  if (name === "" || name.startsWith("$") || name.length > mostCharacters)
    return misfitOf(
      "name_invalid",
      field,
      `needs a name of at most ${mostCharacters} characters that does not begin with $`,
    );
  const texts = Array.isArray(value) ? value : [value];
  return texts.map((one: Value) => (typeof one === "string" ? tooLong(field, one) : undefined)).find(Boolean);
}

function tooLong(field: string, text: string): Misfit | undefined {
  return text.length <= mostCharacters
    ? undefined
    : misfitOf("too_long", field, `keeps at most ${mostCharacters} characters, and this has ${text.length}`);
}

/** The external id of a change, or why Braze could not find a user by it. */
export function externalIdOf(match: DestinationRecord): { readonly id: string } | { readonly misfit: Misfit } {
  const value = match[idField] ?? "";
  const id = typeof value === "string" ? value : JSON.stringify(value);
  if (id.trim() === "") return { misfit: misfitOf("match_empty", idField, "finds a user, and is empty") };
  return id.length <= 997 ? { id } : { misfit: misfitOf("too_long", idField, "takes at most 997 characters") };
}

function misfitOf(code: string, field: string, words: string): Misfit {
  return { code, field, message: `"${field}" ${words}.` };
}

function isObject(value: Value): value is { readonly [name: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCountry(value: Value): boolean {
  return (
    typeof value === "string" && /^[A-Z]{2}$/.test(value) && value !== "ZZ" && countryNames.of(value) !== undefined
  );
}

function isTimeZone(value: Value): boolean {
  try {
    return (
      typeof value === "string" && new Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions().timeZone !== ""
    );
  } catch {
    return false;
  }
}

function isDate(value: Value): boolean {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}
