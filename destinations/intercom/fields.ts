/** The fields of contacts and companies, and which values Intercom takes in them. Pure. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";

/** What Intercom keeps in a field. */
type Kind = "text" | "email" | "integer" | "spend" | "float" | "boolean" | "time";

/** A field as the adapter knows it. */
export interface Known {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  readonly writable: boolean;
  readonly matches?: boolean;
  /** Intercom's description does not let it be null. */
  readonly lasting?: boolean;
  readonly maxLength?: number;
  /** The values that a list attribute takes. */
  readonly options?: readonly string[];
}

/** The fields of an object, by name. */
export type KnownFields = ReadonlyMap<string, Known>;

/** The objects, and what Intercom calls them where it lists their attributes. */
export const models = { contacts: "contact", companies: "company" } as const;

/** An object whose attributes Intercom lists. */
export type ObjectName = keyof typeof models;

/** What tells a custom attribute from a standard field, as Intercom itself writes it: `custom_attributes.plan`. */
const prefix = "custom_attributes.";

const maxTextLength = 255;

const writable = true;

/** The fields that Intercom has of itself and takes in a request. */
const standard: Readonly<Record<ObjectName, readonly Known[]>> = {
  contacts: [
    { name: "external_id", title: "External ID", kind: "text", writable, matches: true, lasting: true },
    { name: "email", title: "E-mail", kind: "email", writable, matches: true, lasting: true },
    { name: "name", title: "Name", kind: "text", writable },
    { name: "phone", title: "Phone", kind: "text", writable },
    { name: "avatar", title: "Avatar: the address of an image", kind: "text", writable },
    { name: "signed_up_at", title: "Signed up", kind: "time", writable },
    { name: "last_seen_at", title: "Last seen", kind: "time", writable },
    { name: "owner_id", title: "Owner: the ID of an admin", kind: "text", writable },
    { name: "unsubscribed_from_emails", title: "Unsubscribed from e-mails", kind: "boolean", writable },
  ],
  companies: [
    { name: "company_id", title: "Company ID", kind: "text", writable: false, matches: true, lasting: true },
    { name: "name", title: "Name", kind: "text", writable },
    { name: "plan", title: "Plan", kind: "text", writable },
    { name: "size", title: "Employees", kind: "integer", writable },
    { name: "website", title: "Website", kind: "text", writable },
    { name: "industry", title: "Industry", kind: "text", writable },
    { name: "remote_created_at", title: "Company created", kind: "time", writable },
    { name: "monthly_spend", title: "Monthly spend, in whole units", kind: "spend", writable },
  ],
};

const attributeSchema = z.object({
  name: z.string(),
  full_name: z.string().optional(),
  label: z.string().optional().catch(undefined),
  data_type: z.string(),
  options: z
    .array(z.union([z.string(), z.object({ value: z.string() }).transform(({ value }) => value)]))
    .optional()
    .catch(undefined),
  api_writable: z.boolean().default(true),
  custom: z.boolean().default(false),
  archived: z.boolean().default(false),
});

/** What Intercom answers when it is asked for the attributes of an object. */
export const attributesSchema = z.object({ data: z.array(attributeSchema) });

type DataAttribute = z.infer<typeof attributeSchema>;

const kinds: Readonly<Record<string, Kind>> = {
  string: "text",
  integer: "integer",
  float: "float",
  boolean: "boolean",
  date: "time",
  datetime: "time",
};

/** All fields of an object: the standard ones, and the workspace's own attributes of a type that is known. */
export function knownFields(object: ObjectName, attributes: readonly DataAttribute[]): KnownFields {
  const custom = attributes
    .filter(({ custom: own, archived }) => own && !archived)
    .flatMap((attribute): readonly Known[] => {
      const kind = Object.hasOwn(kinds, attribute.data_type) ? kinds[attribute.data_type] : undefined;
      if (kind === undefined) return [];
      const { name, label, options = [], api_writable } = attribute;
      return [
        {
          name: `${prefix}${name.startsWith(prefix) ? name.slice(prefix.length) : name}`,
          title: label ?? name,
          kind,
          writable: api_writable,
          ...(kind === "text" ? { maxLength: maxTextLength } : {}),
          ...(kind === "text" && options.length > 0 ? { options } : {}),
        },
      ];
    });
  return new Map([...standard[object], ...custom].map((field) => [field.name, field]));
}

const types: Readonly<Record<Kind, FieldType>> = {
  text: "text",
  email: "text",
  integer: "integer",
  spend: "integer",
  float: "number",
  boolean: "boolean",
  time: "datetime",
};

/** The fields as the service knows them. */
export function toFields(fields: KnownFields): readonly Field[] {
  return [...fields.values()].map(({ name, title, kind, options, maxLength, ...known }): Field => ({
    name,
    title,
    type: options ? "enum" : types[kind],
    writable: known.writable,
    matches: known.matches ?? false,
    ...(maxLength === undefined || options ? {} : { maxLength }),
    ...(options ? { options: options.map((value) => ({ value, title: value })) } : {}),
    ...(kind === "email" ? { matching: "case_insensitive" as const } : {}),
  }));
}

/** Intercom takes e-mail addresses that differ only in case for one. */
export function ignoresCase(object: string, field: string): boolean {
  return object !== "companies" && field === "email";
}

/** The name of the custom attribute that a field is, if it is one. */
export function attributeOf(field: string): string | undefined {
  return field.startsWith(prefix) ? field.slice(prefix.length) : undefined;
}

/** Why a value would be refused, or kept as another. */
export interface Misfit {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** Why Intercom would not take a value, or would not keep it as it is, where that is known beforehand. */
export function misfitOf(field: string, value: Value, fields: KnownFields): Misfit | undefined {
  const known = fields.get(field);
  const misfit = (code: string, message: string): Misfit => ({ code, field, message });
  if (known === undefined) return misfit("unknown_field", `Intercom has no field "${field}" here.`);
  if (!known.writable) return misfit("not_writable", `"${field}" cannot be written through Intercom's API.`);
  if (value === null)
    return known.lasting
      ? misfit("not_clearable", `"${field}" cannot be cleared. Map it with when_null: skip.`)
      : undefined;
  const { code, wanted, fits } = forms[known.kind];
  if (!fits(value)) return misfit(code, `"${field}" takes ${wanted}.`);
  if (typeof value !== "string") return undefined;
  if (known.maxLength !== undefined && value.length > known.maxLength)
    return misfit("too_long", `"${field}" takes ${known.maxLength} characters.`);
  if (known.options && !known.options.includes(value))
    return misfit("not_an_option", `"${field}" takes one of: ${known.options.join(", ")}.`);
  return undefined;
}

/** Beyond it, Intercom keeps the bound instead of the value; a fraction it cuts off. */
const maxSpend = 2_147_483_647;

/** What a kind of field takes, and the code of a value that is not of it. */
interface Form {
  readonly code: string;
  readonly wanted: string;
  readonly fits: (value: Value) => boolean;
}

const forms: Readonly<Record<Kind, Form>> = {
  text: { code: "not_text", wanted: "text", fits: (value) => typeof value === "string" },
  email: {
    code: "not_an_email",
    wanted: "an e-mail address",
    fits: (value) => typeof value === "string" && address.test(value.trim()),
  },
  integer: { code: "not_an_integer", wanted: "a whole number", fits: (value) => Number.isSafeInteger(value) },
  spend: {
    code: "not_kept_whole",
    wanted: `a whole number of at most ${maxSpend}`,
    fits: (value) => Number.isSafeInteger(value) && Math.abs(Number(value)) <= maxSpend,
  },
  float: {
    code: "not_a_number",
    wanted: "a number",
    fits: (value) => typeof value === "number" && Number.isFinite(value),
  },
  boolean: { code: "not_a_boolean", wanted: "true or false", fits: (value) => typeof value === "boolean" },
  time: {
    code: "not_a_time",
    wanted: "a time, such as 2026-11-23T09:30:00Z",
    fits: (value) => typeof value === "string" && /^\d{4}-\d\d-\d\d([T ]|$)/.test(value) && !isNaN(Date.parse(value)),
  },
};

const address = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** A value as Intercom takes it: times are whole seconds since 1970. */
export function toWire(value: Value, known: Known | undefined): Value {
  if (known?.kind === "time" && typeof value === "string") return Math.floor(Date.parse(value) / 1000);
  return known?.kind === "email" && typeof value === "string" ? value.trim() : value;
}
