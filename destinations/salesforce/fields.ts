/** What Salesforce's describe says of an object as fields, and values in Salesforce's spelling. */
import { z } from "zod";
import type { Field, FieldType, Value } from "../../src/destination.ts";

const picklistValue = z.object({ value: z.string(), label: z.string().nullish(), active: z.boolean().default(true) });

const fieldSchema = z.object({
  name: z.string(),
  label: z.string().default(""),
  type: z.string(),
  length: z.number().default(0),
  createable: z.boolean().default(false),
  updateable: z.boolean().default(false),
  nillable: z.boolean().default(true),
  defaultedOnCreate: z.boolean().default(false),
  externalId: z.boolean().default(false),
  idLookup: z.boolean().default(false),
  unique: z.boolean().default(false),
  caseSensitive: z.boolean().default(false),
  restrictedPicklist: z.boolean().default(false),
  picklistValues: z.array(picklistValue).default([]),
});

export const describeSchema = z.object({
  name: z.string(),
  label: z.string().default(""),
  createable: z.boolean().default(false),
  updateable: z.boolean().default(false),
  deletable: z.boolean().default(false),
  fields: z.array(fieldSchema),
});

export type SObject = z.infer<typeof describeSchema>;
export type SObjectField = z.infer<typeof fieldSchema>;

/** Fields that hold other fields; their parts are written instead. */
const compound = new Set(["address", "location"]);

export function toFields({ fields }: SObject): readonly Field[] {
  return fields.map((field) => {
    const type = typeOf(field);
    return {
      name: field.name,
      title: field.label,
      type,
      writable: (field.createable || field.updateable) && !compound.has(field.type) && field.type !== "base64",
      matches: finds(field),
      required: field.createable && !field.nillable && !field.defaultedOnCreate && field.type !== "boolean",
      ...(type === "text" && field.length > 0 ? { maxLength: field.length } : {}),
      ...optionsOf(field, type),
    };
  });
}

/** E-mail of contacts finds records too (`idLookup`), but several; Salesforce refuses an external id that is on two. */
function finds({ name, externalId, idLookup, unique }: SObjectField): boolean {
  return name === "Id" || externalId || (idLookup && unique);
}

function typeOf({ type }: SObjectField): FieldType {
  switch (type) {
    case "double":
    case "currency":
    case "percent":
      return "number";
    case "int":
    case "long":
      return "integer";
    case "boolean":
    case "date":
    case "datetime":
      return type;
    case "picklist":
      return "enum";
    case "multipicklist":
      return "multi_enum";
    case "address":
    case "location":
      return "json";
    default:
      return "text";
  }
}

/** A picklist that is not restricted takes any value. */
function optionsOf({ restrictedPicklist, picklistValues }: SObjectField, type: FieldType): Pick<Field, "options"> {
  if ((type !== "enum" && type !== "multi_enum") || !restrictedPicklist) return {};
  const active = picklistValues.filter((one) => one.active);
  return { options: active.map(({ value, label }) => ({ value, title: label ?? value })) };
}

/** A value as Salesforce takes it. It keeps no empty text: that clears, and is sent as what it means. */
export function toValue(value: Value, type: FieldType | undefined): Value {
  if (value === "" || value === null) return null;
  if (isList(value)) return value.length === 0 ? null : value.map(String).join(";");
  if ((type === "number" || type === "integer") && typeof value === "string" && value.trim() !== "") {
    const number = Number(value);
    return Number.isFinite(number) ? number : value;
  }
  if (type === "text" && typeof value !== "string")
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  if (type === "datetime" && typeof value === "string") return value.replace(/(\.\d{3})\d*Z$/, "$1Z");
  return value;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** A value of a match field in the form in which two that find one record are equal. */
export function identity(value: unknown, field: SObjectField | undefined): string {
  const text = String(value).trim();
  // The 15 characters tell case apart; the further three repeat that for who cannot.
  if (field?.type === "id" || field?.name === "Id") return text.slice(0, 15);
  if (field && ["double", "int", "long"].includes(field.type)) return String(Number(text));
  return field?.caseSensitive ? text : text.toLowerCase();
}
