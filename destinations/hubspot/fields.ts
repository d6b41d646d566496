/** HubSpot's properties as fields, and their values in HubSpot's spelling. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";

const propertySchema = z.object({
  name: z.string(),
  label: z.string().default(""),
  type: z.string(),
  fieldType: z.string().default(""),
  options: z.array(z.object({ value: z.string(), label: z.string().default("") })).default([]),
  hasUniqueValue: z.boolean().default(false),
  calculated: z.boolean().default(false),
  externalOptions: z.boolean().default(false),
  archived: z.boolean().default(false),
  modificationMetadata: z.object({ readOnlyValue: z.boolean() }).optional(),
});

export const propertiesSchema = z.object({ results: z.array(propertySchema) });

type Property = z.infer<typeof propertySchema>;

/** HubSpot keeps at most so many characters of a value. */
const maxLength = 65_536;

/** The fields of an object. `contacts` are found by e-mail; all others by properties with unique values only. */
export function toFields(properties: readonly Property[], object: string): readonly Field[] {
  return properties
    .filter(({ archived }) => !archived)
    .map((property) => {
      const type = typeOf(property);
      const byEmail = ignoresCase(object, property.name);
      return {
        name: property.name,
        title: property.label,
        type,
        writable: property.modificationMetadata?.readOnlyValue !== true && !property.calculated,
        // HubSpot keeps this one for itself.
        matches: byEmail || (property.hasUniqueValue && property.name !== "hs_unique_creation_key"),
        ...(type === "text" ? { maxLength } : {}),
        ...(type === "number" ? { exact: true } : {}),
        ...(byEmail ? { matching: "case_insensitive" as const } : {}),
        ...optionsOf(property, type),
      };
    });
}

/** HubSpot takes e-mail addresses that differ only in case for one. */
export function ignoresCase(object: string, field: string): boolean {
  return object === "contacts" && field === "email";
}

function typeOf({ type, fieldType }: Property): FieldType {
  switch (type) {
    case "number":
      return "number";
    case "date":
      return "date";
    case "datetime":
      return "datetime";
    case "bool":
      return "boolean";
    case "enumeration":
      return fieldType === "checkbox" ? "multi_enum" : "enum";
    default:
      return "text";
  }
}

/** Options that HubSpot takes from elsewhere, such as owners, are not listed, so any value may be one. */
function optionsOf({ externalOptions, options }: Property, type: FieldType): Pick<Field, "options"> | undefined {
  if ((type !== "enum" && type !== "multi_enum") || externalOptions || options.length === 0) return undefined;
  return { options: options.map(({ value, label }) => ({ value, title: label })) };
}

/** A value as HubSpot takes it: always text; empty text clears. */
export function toText(value: Value, type: FieldType | undefined): string {
  if (value === null) return "";
  if (isList(value)) return toChoices(value.map((choice) => toText(choice, undefined)));
  if (type === "multi_enum") return toChoices([toText(value, undefined)]);
  if (typeof value === "string") return type === "datetime" ? toMilliseconds(value) : value;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Text that began with a semicolon would be added to the present choices instead of replacing them. */
function toChoices(values: readonly string[]): string {
  const choices = values.flatMap((value) => value.split(";")).filter((choice) => choice !== "");
  return [...new Set(choices)].join(";");
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** `2026-11-23T09:30:00.123456Z` without what is finer than HubSpot keeps. */
function toMilliseconds(instant: string): string {
  return instant.replace(/(\.\d{3})\d*Z$/, "$1Z");
}
