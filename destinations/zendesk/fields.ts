/** The fields of users and organizations, and which values Zendesk takes in them. Pure. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";

/** What Zendesk keeps in a field. */
type Kind = "text" | "email" | "integer" | "decimal" | "boolean" | "date" | "choice" | "choices" | "tags" | "domains";

/** A field as the adapter knows it. */
export interface Known {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  readonly writable: boolean;
  readonly matches?: boolean;
  /** Zendesk does not let it be empty. */
  readonly lasting?: boolean;
  readonly options?: readonly { readonly value: string; readonly title: string }[];
}

/** The fields of an object, by name. */
export type KnownFields = ReadonlyMap<string, Known>;

export type ObjectName = "users" | "organizations";

/** What Zendesk calls things of an object in its paths and bodies. */
export const words = {
  users: { one: "user", many: "users", custom: "user_fields" },
  organizations: { one: "organization", many: "organizations", custom: "organization_fields" },
} as const;

const writable = true;
const externalId: Known = { name: "external_id", title: "External ID", kind: "text", writable, matches: true };
const notes: readonly Known[] = [
  { name: "notes", title: "Notes", kind: "text", writable },
  { name: "details", title: "Details", kind: "text", writable },
  { name: "tags", title: "Tags: all of them", kind: "tags", writable },
];

/**
 * The fields that Zendesk has of itself. A user's role is not among them: a sync that may make a customer an
 * administrator is a way into the account.
 */
const standard: Readonly<Record<ObjectName, readonly Known[]>> = {
  users: [
    { ...externalId, lasting: true },
    { name: "email", title: "Primary e-mail", kind: "email", writable, matches: true, lasting: true },
    { name: "name", title: "Name", kind: "text", writable, lasting: true },
    { name: "alias", title: "Alias", kind: "text", writable },
    { name: "phone", title: "Phone", kind: "text", writable },
    { name: "organization_id", title: "Organization: its Zendesk ID", kind: "integer", writable },
    { name: "locale", title: "Locale, such as en-US", kind: "text", writable, lasting: true },
    { name: "time_zone", title: "Time zone", kind: "text", writable, lasting: true },
    { name: "verified", title: "Verified", kind: "boolean", writable, lasting: true },
    { name: "suspended", title: "Suspended", kind: "boolean", writable, lasting: true },
    ...notes,
  ],
  organizations: [
    { ...externalId, lasting: true },
    { name: "name", title: "Name", kind: "text", writable, matches: true, lasting: true },
    { name: "domain_names", title: "Domain names: all of them", kind: "domains", writable },
    { name: "group_id", title: "Group: its ID", kind: "integer", writable },
    { name: "shared_tickets", title: "Tickets are shared", kind: "boolean", writable, lasting: true },
    { name: "shared_comments", title: "Comments are shared", kind: "boolean", writable, lasting: true },
    ...notes,
  ],
};

const customFieldSchema = z.object({
  key: z.string(),
  type: z.string(),
  title: z.string().default(""),
  active: z.boolean().default(true),
  system: z.boolean().default(false),
  custom_field_options: z.array(z.object({ value: z.string(), name: z.string() })).default([]),
});

export type CustomField = z.output<typeof customFieldSchema>;

/** What Zendesk answers when it is asked for an object's custom fields. */
export const customFieldsSchema = z.union([
  z.object({ user_fields: z.array(customFieldSchema) }).transform(({ user_fields: fields }) => fields),
  z.object({ organization_fields: z.array(customFieldSchema) }).transform(({ organization_fields: fields }) => fields),
]);

const kinds: Readonly<Record<string, Kind>> = {
  text: "text",
  textarea: "text",
  regexp: "text",
  checkbox: "boolean",
  date: "date",
  decimal: "decimal",
  integer: "integer",
  // The ID of another record.
  lookup: "integer",
  dropdown: "choice",
  multiselect: "choices",
};

/** All fields of an object: Zendesk's own, and the account's active ones of a type that is known. */
export function knownFields(object: ObjectName, custom: readonly CustomField[]): KnownFields {
  const own = custom.flatMap(({ key, type, title, active, system, custom_field_options }): readonly Known[] => {
    const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
    if (kind === undefined || !active) return [];
    const options = custom_field_options.map(({ value, name }) => ({ value, title: name }));
    const chosen = kind === "choice" || kind === "choices" ? { options } : {};
    return [{ name: `${words[object].custom}.${key}`, title: title || key, kind, writable: !system, ...chosen }];
  });
  return new Map([...standard[object], ...own].map((field) => [field.name, field]));
}

const types: Readonly<Record<Kind, FieldType>> = {
  text: "text",
  email: "text",
  integer: "integer",
  decimal: "number",
  boolean: "boolean",
  date: "date",
  choice: "enum",
  choices: "multi_enum",
  tags: "multi_enum",
  domains: "multi_enum",
};

/** The fields as the service knows them. */
export function toFields(fields: KnownFields): readonly Field[] {
  return [...fields.values()].map(({ name, title, kind, options, matches = false, ...known }): Field => ({
    name,
    title,
    type: types[kind],
    writable: known.writable,
    matches,
    ...(options ? { options } : {}),
    ...(kind === "email" ? { matching: "case_insensitive" as const } : {}),
  }));
}

const matchFields: Readonly<Record<ObjectName, readonly string[]>> = {
  users: ["external_id", "email"],
  organizations: ["external_id", "name"],
};

/** Whether a field finds records of an object. */
export function isMatchField(object: string, field: string): boolean {
  return Object.hasOwn(matchFields, object) && matchFields[object as ObjectName].includes(field);
}

/**
 * Whether the service may take values that differ in case for one, and send them in lower case. Zendesk ignores the case
 * of external ids and names too, but keeps it: in lower case, every one of them would be rewritten.
 */
export function ignoresCase(object: string, field: string): boolean {
  return object === "users" && field === "email";
}

/** A match value as Zendesk compares it. */
export function identity(value: string | null | undefined): string {
  return (value ?? "").trim().toLowerCase();
}

/** Why a value would be refused, or kept as another. */
export interface Misfit {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** Why Zendesk would not take a value, or would drop it without a word, where that is known beforehand. */
export function misfitOf(field: string, value: Value, fields: KnownFields): Misfit | undefined {
  const known = fields.get(field);
  const misfit = (code: string, message: string): Misfit => ({ code, field, message });
  // A key that it does not know Zendesk passes over without a word.
  if (known === undefined) return misfit("unknown_field", `Zendesk has no field "${field}" here.`);
  if (!known.writable) return misfit("not_writable", `"${field}" is Zendesk's own and cannot be written.`);
  if (value === null)
    return known.lasting
      ? misfit("not_clearable", `"${field}" cannot be cleared. Map it with when_null: skip.`)
      : undefined;
  const { code, wanted, fits } = forms[known.kind];
  if (!fits(value)) return misfit(code, `"${field}" takes ${wanted}.`);
  const stray = known.options && choicesOf(value).find((one) => !known.options?.some((option) => option.value === one));
  if (stray !== undefined)
    return misfit("not_an_option", `"${field}" has no option with the tag ${JSON.stringify(stray)}.`);
  return undefined;
}

function choicesOf(value: Value): readonly string[] {
  return [value].flat().map(String);
}

/** What a kind of field takes, and the code of a value that is not of it. */
interface Form {
  readonly code: string;
  readonly wanted: string;
  readonly fits: (value: Value) => boolean;
}

const isText = (value: Value): value is string => typeof value === "string";
const listOf =
  (pattern: RegExp) =>
  (value: Value): boolean =>
    (Array.isArray(value) ? value : [value]).every((one) => isText(one) && pattern.test(one));

const forms: Readonly<Record<Kind, Form>> = {
  text: { code: "not_text", wanted: "text", fits: isText },
  email: {
    code: "not_an_email",
    wanted: "an e-mail address",
    fits: (value) => isText(value) && /^[^\s@",]+@[^\s@",]+\.[^\s@",]+$/.test(value.trim()),
  },
  integer: { code: "not_an_integer", wanted: "a whole number", fits: (value) => Number.isSafeInteger(value) },
  decimal: {
    code: "not_a_number",
    wanted: "a number",
    fits: (value) => typeof value === "number" && Number.isFinite(value),
  },
  boolean: { code: "not_a_boolean", wanted: "true or false", fits: (value) => typeof value === "boolean" },
  date: {
    code: "not_a_date",
    wanted: "a date, such as 2026-11-24",
    fits: (value) => isText(value) && /^\d{4}-\d\d-\d\d$/.test(value) && isOfTheCalendar(value),
  },
  choice: { code: "not_text", wanted: "one option's tag", fits: isText },
  choices: { code: "not_a_list", wanted: "a list of options' tags", fits: listOf(/./) },
  // Zendesk takes a blank in a tag for the end of it.
  tags: { code: "not_a_tag", wanted: "a list of tags without blanks and commas", fits: listOf(/^[^\s,]+$/) },
  domains: { code: "not_a_domain", wanted: "a list of domain names", fits: listOf(/^[^\s,@/]+$/) },
};

/** The 30th of February is read as the 2nd of March. */
function isOfTheCalendar(day: string): boolean {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

/** A value as Zendesk takes it: lists are replaced whole, and emptied by an empty one. */
export function toWire(value: Value, known: Known | undefined): Value {
  const kind = known?.kind;
  if (kind === "choices" || kind === "tags" || kind === "domains")
    return value === null ? [] : [...new Set(choicesOf(value))];
  return kind === "email" && isText(value) ? value.trim() : value;
}
