/** Columns → fields. */
import type { Field, FieldType } from "../../src/destination.ts";
import type { Column, Table } from "./catalog.ts";

const types: Readonly<Record<string, FieldType>> = {
  int2: "integer",
  int4: "integer",
  int8: "integer",
  numeric: "number",
  float4: "number",
  float8: "number",
  bool: "boolean",
  date: "date",
  timestamp: "datetime",
  timestamptz: "datetime",
  json: "json",
  jsonb: "json",
};

const texts: ReadonlySet<string> = new Set(["text", "varchar", "bpchar", "name", "citext"]);

/** What has no type of its own (uuid, interval, inet, geometry, …) is text, in the form that Postgres reads. */
export function typeOf({ base, element, options }: Column): FieldType {
  if (element !== null) return options !== null || texts.has(element) ? "multi_enum" : "json";
  if (options !== null) return "enum";
  return types[base] ?? "text";
}

export function toFields({ columns, keys }: Table): readonly Field[] {
  const finding = new Set(keys.flat());
  return columns.map((column) => {
    const { name, base, element, options, length, comment, writable, blurred } = column;
    return {
      name,
      title: comment ?? name,
      type: typeOf(column),
      writable,
      matches: finding.has(name) && !blurred,
      ...(isRequired(column) ? { required: true } : {}),
      ...(options === null ? {} : { options: options.map((value) => ({ value, title: value })) }),
      ...(length === null ? {} : { maxLength: length }),
      ...(element === null && (base === "numeric" || base === "int8") ? { exact: true } : {}),
    };
  });
}

/** Without it no row can be made. */
export const isRequired = ({ notNull, filled, writable }: Column): boolean => notNull && !filled && writable;
