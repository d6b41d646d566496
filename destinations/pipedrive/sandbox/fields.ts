/** The custom fields of a company, and what each takes: Pipedrive's API v2 changes no form into another. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { success } from "./answers.ts";

export const fieldSchema = z.strictObject({
  field_code: z.string(),
  field_name: z.string(),
  field_type: z.string().default("varchar"),
  is_custom_field: z.boolean().default(true),
  options: z.array(z.strictObject({ id: z.int(), label: z.string() })).optional(),
});

export type PipedriveField = z.output<typeof fieldSchema>;

const mostOnPage = 500;

/** A page of them; the cursor is the place of the first. */
export function shownFields(
  fields: readonly PipedriveField[],
  { limit = "100", cursor = "0" }: Readonly<Record<string, string>>,
): SandboxResponse {
  const [from, size] = [Number(cursor), Math.min(Number(limit), mostOnPage)];
  const page = fields.slice(from, from + size).map((field) => ({
    ...field,
    is_optional_response_field: false,
    options: field.options ?? null,
    subfields: null,
  }));
  const next = from + size < fields.length ? String(from + size) : null;
  return success(page, { additional_data: { next_cursor: next } });
}

const date = z.string().regex(/^\d{4}-\d\d-\d\d$/);
const time = z.string().regex(/^\d\d:\d\d(:\d\d)?$/);
const id = z.int().positive();
const zone = z.string().optional();

const forms: Readonly<Record<string, z.ZodType>> = {
  varchar: z.string(),
  varchar_auto: z.string(),
  text: z.string(),
  phone: z.string(),
  double: z.number(),
  int: z.int(),
  boolean: z.boolean(),
  date,
  daterange: z.strictObject({ value: date, until: date }),
  time: z.strictObject({ value: time, timezone_name: zone }),
  timerange: z.strictObject({ value: time, until: time, timezone_name: zone }),
  enum: z.int(),
  set: z.array(z.int()),
  monetary: z.strictObject({ value: z.number(), currency: z.string().length(3) }),
  address: z.looseObject({ value: z.string().min(1) }),
  user: id,
  org: id,
  people: id,
};

/** Why custom values are not taken, if they are not. */
export function customFault(values: unknown, fields: readonly PipedriveField[]): string | undefined {
  const given = z.record(z.string(), z.unknown()).safeParse(values).data;
  if (!given) return "custom_fields: must be an object";
  for (const [code, value] of Object.entries(given)) {
    const field = fields.find(({ field_code, is_custom_field }) => is_custom_field && field_code === code);
    if (!field) return `custom_fields.${code}: unknown field`;
    if (value === null) continue;
    const form = forms[field.field_type] ?? z.unknown();
    if (!form.safeParse(value).success) return `custom_fields.${code}: expected ${field.field_type}`;
    const ids = field.options?.map((option) => option.id);
    if (ids && [value].flat().some((one) => !ids.includes(Number(one)))) return `custom_fields.${code}: unknown option`;
  }
  return undefined;
}

/** Short texts are cut without a word; what is empty is null. */
export function keptValue(value: unknown, { field_type: type }: PipedriveField): unknown {
  if (Array.isArray(value) && value.length === 0) return null;
  if (typeof value !== "string") return value;
  if (value === "") return null;
  return type === "text" ? value : value.slice(0, 255);
}
