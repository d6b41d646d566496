/** An audience's fields, and which values they take. Pure. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";
import type { Reason } from "./errors.ts";

export const emailField = "email_address";
const part = "merge_fields.";

export const mergeFieldsSchema = z.object({
  merge_fields: z.array(
    z.object({
      tag: z.string(),
      name: z.string(),
      type: z.string(),
      required: z.boolean().default(false),
      options: z
        .object({ choices: z.array(z.string()).optional(), size: z.number().optional() })
        .default({})
        .catch({}),
    }),
  ),
});

export type MergeField = z.output<typeof mergeFieldsSchema>["merge_fields"][number];

const types: Readonly<Record<string, FieldType>> = {
  number: "number",
  date: "date",
  radio: "enum",
  dropdown: "enum",
  address: "json",
};

/** The fields that every member has. */
const own: readonly Field[] = [
  {
    name: emailField,
    title: "E-mail address",
    type: "text",
    writable: true,
    matches: true,
    matching: "case_insensitive",
  },
  { name: "language", title: "Language", type: "text", writable: true, matches: false, maxLength: 5 },
  { name: "vip", title: "VIP", type: "boolean", writable: true, matches: false },
];

/** A text of an audience's field has at most so many bytes. */
const mostBytes = 255;

export function toFields(mergeFields: readonly MergeField[]): readonly Field[] {
  return [
    ...own,
    ...mergeFields.map(({ tag, name, type, required, options: { choices } }): Field => {
      const common = { name: `${part}${tag}`, title: name, writable: true, matches: false, required };
      const fieldType = types[type] ?? "text";
      if (fieldType === "enum")
        return { ...common, type: "enum", options: (choices ?? []).map((value) => ({ value, title: value })) };
      return { ...common, type: fieldType, ...(fieldType === "text" ? { maxLength: mostBytes } : {}) };
    }),
  ];
}

/** What a member's values are checked by: merge fields by their tags. */
export type KnownFields = ReadonlyMap<string, MergeField>;

export interface MemberValues {
  readonly [name: string]: Value;
}

/** A record in Mailchimp's form, or why Mailchimp would refuse or mangle it. An empty text clears. */
export function memberOf(
  record: Readonly<Record<string, Value>>,
  known: KnownFields,
): { readonly member: MemberValues } | { readonly misfit: Reason } {
  const member: Record<string, Value> = {};
  const merge: Record<string, Value> = {};
  for (const [field, value] of Object.entries(record)) {
    const misfit = field.startsWith(part) ? mergeMisfit(field, value, known) : ownMisfit(field, value);
    if (misfit) return { misfit };
    if (field.startsWith(part)) merge[field.slice(part.length)] = value ?? "";
    else if (field !== emailField) member[field] = value;
  }
  return { member: { ...member, ...(Object.keys(merge).length > 0 ? { merge_fields: merge } : {}) } };
}

function ownMisfit(field: string, value: Value): Reason | undefined {
  if (field === "vip")
    return typeof value === "boolean" ? undefined : misfit("not_a_boolean", field, "takes true or false");
  if (field === "language")
    return typeof value === "string" && /^[a-z]{2}(_[A-Z]{2})?$/.test(value)
      ? undefined
      : misfit("not_a_language", field, 'takes a language code, such as "en" or "pt_PT"');
  if (field !== emailField) return misfit("unknown_field", field, "is no field of the audience");
  const address = addressOf(value);
  return "misfit" in address ? address.misfit : undefined;
}

/** An address without outer blanks, or why Mailchimp would refuse it. Whether it looks fake is Mailchimp's to say. */
export function addressOf(value: Value | undefined): { readonly email: string } | { readonly misfit: Reason } {
  if (value == null || value === "")
    return { misfit: { code: "match_empty", field: emailField, message: "The e-mail address is empty." } };
  const email = typeof value === "string" ? value.trim() : "";
  const fits = /^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@.,;<>"]+$/.test(email);
  return fits ? { email } : { misfit: misfit("not_an_email", emailField, "takes an e-mail address") };
}

function mergeMisfit(field: string, value: Value, known: KnownFields): Reason | undefined {
  const definition = known.get(field.slice(part.length));
  if (!definition) return misfit("unknown_field", field, "is no field of the audience");
  const { type, required, options } = definition;
  if (value === null || value === "")
    return required ? misfit("required", field, "is required in the audience, and cannot be empty") : undefined;
  switch (type) {
    case "number":
      return Number.isFinite(Number(value)) && typeof value !== "boolean"
        ? undefined
        : misfit("not_a_number", field, "takes a number");
    case "date":
      return isDate(value) ? undefined : misfit("not_a_date", field, "takes a date, such as 2026-11-24");
    case "birthday":
      return typeof value === "string" && /^(0[1-9]|1[0-2])\/(0[1-9]|[12]\d|3[01])$/.test(value)
        ? undefined
        : misfit("not_a_birthday", field, "takes a month and a day, such as 11/24");
    case "address":
      return isAddress(value)
        ? undefined
        : misfit(
            "not_an_address",
            field,
            "takes { addr1, city, state, zip, country }, of which only country may be left out",
          );
    case "radio":
    case "dropdown":
      return typeof value === "string" && (options.choices ?? []).includes(value)
        ? undefined
        : misfit("not_an_option", field, `takes one of: ${(options.choices ?? []).join(", ")}`);
    default:
      if (typeof value !== "string") return misfit("not_text", field, "takes text");
      return Buffer.byteLength(value) <= mostBytes
        ? undefined
        : misfit("too_long", field, `takes at most ${mostBytes} bytes`);
  }
}

function isDate(value: Value): boolean {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

const addressSchema = z.strictObject({
  addr1: z.string().min(1),
  addr2: z.string().optional(),
  city: z.string().min(1),
  state: z.string().min(1),
  zip: z.string().min(1),
  country: z.string().length(2).optional(),
});

function isAddress(value: Value): boolean {
  return addressSchema.safeParse(value).success;
}

function misfit(code: string, field: string, words: string): Reason {
  return { code, field, message: `"${field}" ${words}.` };
}

/** An address as Mailchimp compares it. */
export function identity(email: Value | undefined): string {
  return typeof email === "string" ? email.trim().toLowerCase() : "";
}
