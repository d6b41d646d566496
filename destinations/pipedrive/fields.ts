/** The fields of an object: Pipedrive's own, and those that a company has made. Pure. */
import { z } from "zod";
import type { Field, FieldType } from "../../src/destination.ts";
import type { Kind, Known, KnownFields } from "./known.ts";
import { type ObjectName, objects } from "./objects.ts";

const fieldSchema = z.object({
  field_code: z.string(),
  field_name: z.string(),
  field_type: z.string(),
  is_custom_field: z.boolean().default(false),
  options: z
    .array(z.object({ id: z.union([z.int(), z.string()]), label: z.string() }))
    .nullish()
    .catch(undefined),
});

export type PipedriveField = z.output<typeof fieldSchema>;

/** One page of an object's fields. */
export const fieldPageSchema = z.object({
  data: z.array(fieldSchema),
  additional_data: z.object({ next_cursor: z.string().nullish() }).nullish().catch(undefined),
});

/** Types of custom fields. Those that are missing here, such as pictures, cannot be written as values. */
const kinds: Readonly<Record<string, Kind>> = {
  varchar: "text",
  varchar_auto: "text",
  text: "text",
  phone: "text",
  double: "number",
  int: "integer",
  boolean: "boolean",
  date: "date",
  daterange: "date_range",
  time: "time",
  timerange: "time_range",
  enum: "option",
  set: "options",
  monetary: "money",
  address: "address",
  user: "id",
  org: "id",
  people: "id",
};

/** Pipedrive searches some types only, and a key in a long text or an amount of money would be an accident. */
const keyTypes = new Set(["varchar", "varchar_auto", "double"]);

/** Pipedrive takes longer ones and cuts them, but for the large text, whose end nobody is told. */
const shortTypes = new Set(["varchar", "varchar_auto", "phone"]);
const shortLength = 255;

/** All fields of an object: Pipedrive's own, and the company's of a type that is known. */
export function knownFields(object: ObjectName, given: readonly PipedriveField[]): KnownFields {
  const labels = given.find(({ field_code: code }) => code === "label_ids" || code === "label");
  const own = objects[object].own.map((known) =>
    known.name === "label_ids" ? { ...known, options: optionsOf(labels?.options ?? []) } : known,
  );
  const custom = given
    .filter(({ is_custom_field: isCustom, field_code: code }) => isCustom && own.every(({ name }) => name !== code))
    .flatMap((field): readonly Known[] => {
      const kind = Object.hasOwn(kinds, field.field_type) ? kinds[field.field_type] : undefined;
      return kind === undefined ? [] : [customField(field, kind)];
    });
  return new Map([...own, ...custom].map((known) => [known.name, known]));
}

function customField({ field_code, field_name, field_type, options }: PipedriveField, kind: Kind): Known {
  return {
    name: field_code,
    title: field_name,
    kind,
    writable: true,
    custom: true,
    matches: keyTypes.has(field_type),
    ...(shortTypes.has(field_type) ? { maxLength: shortLength } : {}),
    ...(kind === "option" || kind === "options" ? { options: optionsOf(options ?? []) } : {}),
  };
}

/** By label; two options of one label are told apart by their ids. */
function optionsOf(
  options: readonly { readonly id: number | string; readonly label: string }[],
): ReadonlyMap<string, number | string> {
  const isShared = (label: string): boolean => options.filter((other) => other.label === label).length > 1;
  return new Map(options.map(({ id, label }) => [isShared(label) ? String(id) : label, id]));
}

const types: Readonly<Record<Kind, FieldType>> = {
  text: "text",
  number: "number",
  percent: "integer",
  integer: "integer",
  id: "integer",
  boolean: "boolean",
  date: "date",
  date_range: "json",
  time: "json",
  time_range: "json",
  option: "enum",
  options: "multi_enum",
  money: "json",
  currency: "text",
  address: "json",
  email: "text",
  emails: "json",
  phone: "text",
  phones: "json",
};

/** The fields as the service knows them. */
export function toFields(fields: KnownFields): readonly Field[] {
  return [...fields.values()].map(({ name, title, kind, options, maxLength, ...known }): Field => ({
    name,
    title,
    type: types[kind],
    writable: known.writable,
    matches: known.matches ?? false,
    ...(known.required ? { required: true } : {}),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(options ? { options: [...options.keys()].map((value) => ({ value, title: value })) } : {}),
    ...(kind === "email" ? { matching: "case_insensitive" as const } : {}),
  }));
}

/** E-mail addresses that differ only in case are one. */
export function ignoresCase(field: string): boolean {
  return field === "email";
}
