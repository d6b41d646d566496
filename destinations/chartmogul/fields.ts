/** A customer's fields, and which values ChartMogul takes in them. Pure. */
import type { Field, FieldType, Value } from "../../src/destination.ts";
import { countries } from "./countries.ts";
import type { AttributeType } from "./settings.ts";

/** What tells a custom attribute from a standard field: `custom.plan`. */
const prefix = "custom.";

/** A text attribute has at most so many characters. */
export const maxAttributeLength = 255;

const types: Readonly<Record<AttributeType, FieldType>> = {
  String: "text",
  Integer: "integer",
  Decimal: "number",
  Timestamp: "datetime",
  Boolean: "boolean",
};

/** The fields that ChartMogul has of itself, as it takes them in a change. */
const standard: readonly (readonly [name: string, title: string, type: FieldType])[] = [
  ["name", "Name", "text"],
  ["email", "E-mail", "text"],
  ["company", "Company", "text"],
  ["country", "Country (ISO 3166-1 alpha-2)", "enum"],
  ["state", "State of the US, such as US-NY (ISO 3166-2)", "text"],
  ["city", "City", "text"],
  ["zip", "Zip code", "text"],
  ["website_url", "Website", "text"],
  ["owner", "Owner: the e-mail address of a user in ChartMogul", "text"],
  ["lead_created_at", "Lead created at", "datetime"],
  ["free_trial_started_at", "Free trial started at", "datetime"],
];

const standardNames: ReadonlySet<string> = new Set(standard.map(([name]) => name));

/** The key of the custom attribute that a field is, if it is one. */
export function keyOf(field: string): string | undefined {
  return field.startsWith(prefix) ? field.slice(prefix.length) : undefined;
}

/** A customer's fields: found by `external_id` in a data source, or without one by `uuid` and `email`. */
export function toFields(attributes: ReadonlyMap<string, AttributeType>, inDataSource: boolean): readonly Field[] {
  const identity: readonly Field[] = [
    { name: "uuid", title: "UUID (cus_…)", type: "text", writable: false, matches: !inDataSource },
    {
      name: "external_id",
      title: inDataSource ? "External ID" : "External ID: matches in to.settings.data_source",
      type: "text",
      writable: false,
      matches: inDataSource,
    },
  ];
  const own = standard.map(([name, title, type]): Field => {
    const matches = name === "email" && !inDataSource;
    return { name, title, type, writable: true, matches, ...(type === "enum" ? { options: countries } : {}) };
  });
  const tags: Field = { name: "tags", title: "Tags: all of them", type: "multi_enum", writable: true, matches: false };
  const custom = [...attributes].map(([key, type]): Field => ({
    name: `${prefix}${key}`,
    title: `${key} (${type})`,
    type: types[type],
    writable: true,
    matches: false,
    ...(type === "String" ? { maxLength: maxAttributeLength } : {}),
  }));
  return [...identity, ...own, tags, ...custom];
}

/** Why a value would be refused. */
export interface Misfit {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** Why ChartMogul would not take a value, or would take it for another, where that is known beforehand. */
export function misfitOf(
  field: string,
  value: Value,
  attributes: ReadonlyMap<string, AttributeType>,
): Misfit | undefined {
  const key = keyOf(field);
  if (key === undefined && field !== "tags" && !standardNames.has(field))
    return { code: "unknown_field", field, message: `Customers have no field "${field}" that can be written.` };
  if (key !== undefined) return attributeMisfit(field, key, value, attributes);
  if (value === null) return field === "name" ? nameless : undefined;
  if (field === "tags") return areTags(value) ? undefined : { code: "not_tags", field, message: wrongTags };
  if (typeof value !== "string") return { code: "not_text", field, message: `"${field}" takes text.` };
  return standardMisfit(field, value);
}

const nameless: Misfit = {
  code: "name_needed",
  field: "name",
  message: "A customer's name cannot be cleared. Map it with when_null: skip.",
};

const wrongTags = "Tags are a list of texts, none of them empty.";

const address = /^[^\s@]+@[^\s@]+$/;

function standardMisfit(field: string, value: string): Misfit | undefined {
  switch (field) {
    case "country":
      if (/^[A-Z]{2}$/.test(value)) return undefined;
      return { code: "not_a_country", field, message: "A country is two capital letters, such as DE." };
    case "email":
    case "owner":
      if (address.test(value)) return undefined;
      return { code: "not_an_email", field, message: `"${field}" takes an e-mail address.` };
    case "lead_created_at":
    case "free_trial_started_at":
      if (isTime(value)) return undefined;
      return { code: "not_a_time", field, message: `"${field}" takes a time, such as 2026-11-23T09:30:00Z.` };
    default:
      return undefined;
  }
}

function attributeMisfit(
  field: string,
  key: string,
  value: Value,
  attributes: ReadonlyMap<string, AttributeType>,
): Misfit | undefined {
  const type = attributes.get(key);
  if (type === undefined) {
    const message = `The type of the attribute "${key}" is not known. Give it in to.settings.custom_attributes.`;
    return { code: "unknown_field", field, message };
  }
  if (value === null) return undefined;
  if (!fits[type](value)) return { code: "type_clash", field, message: `The attribute "${key}" is of type ${type}.` };
  if (typeof value === "string" && value.length > maxAttributeLength)
    return { code: "too_long", field, message: `An attribute takes ${maxAttributeLength} characters.` };
  return undefined;
}

const fits: Readonly<Record<AttributeType, (value: Value) => boolean>> = {
  String: (value) => typeof value === "string",
  Integer: (value) => Number.isSafeInteger(value),
  Decimal: (value) => typeof value === "number" && Number.isFinite(value),
  Timestamp: (value) => typeof value === "string" && isTime(value),
  Boolean: (value) => typeof value === "boolean",
};

function isTime(value: string): boolean {
  return /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(value) && !Number.isNaN(Date.parse(value));
}

function areTags(value: Value): value is readonly string[] {
  return Array.isArray(value) && value.every((tag) => typeof tag === "string" && tag.trim() !== "");
}
