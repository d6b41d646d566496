/** An account's custom fields, and which values Zendesk takes in them. */
import { z } from "zod";

export const customFieldSchema = z.object({
  key: z.string(),
  type: z.enum([
    "checkbox",
    "date",
    "decimal",
    "dropdown",
    "integer",
    "lookup",
    "multiselect",
    "regexp",
    "text",
    "textarea",
  ]),
  title: z.string().optional(),
  active: z.boolean().default(true),
  system: z.boolean().default(false),
  /** The options' tags. */
  options: z.array(z.string()).default([]),
});

export type SandboxField = z.output<typeof customFieldSchema>;

/** As Zendesk lists it. */
export function shownField({ options, title, ...field }: SandboxField, at: number): Readonly<Record<string, unknown>> {
  const chosen = field.type === "dropdown" || field.type === "multiselect";
  const custom_field_options = options.map((value, place) => ({ id: 500 + place, name: `The ${value}`, value }));
  const shown = title ?? field.key;
  return {
    id: 7000 + at,
    title: shown,
    raw_title: shown,
    position: at,
    ...field,
    ...(chosen ? { custom_field_options } : {}),
  };
}

/** Why a record is not taken. */
export interface Fault {
  readonly error: string;
  readonly details: string;
}

export type Values = Readonly<Record<string, unknown>>;

/** The custom fields after a change. Keys that the account does not have are passed over without a word. */
export function keptCustom(present: Values, given: unknown, fields: readonly SandboxField[]): Values | Fault {
  const parsed = z.record(z.string(), z.unknown()).safeParse(given ?? {});
  if (!parsed.success) return { error: "RecordInvalid", details: "Custom fields: must be an object" };
  const kept: Record<string, unknown> = { ...present };
  for (const [key, value] of Object.entries(parsed.data)) {
    const field = fields.find((one) => one.key === key && one.active && !one.system);
    if (!field) continue;
    const empty = value === null || value === "" || (Array.isArray(value) && value.length === 0);
    if (!empty && !takes(field, value))
      return { error: "RecordInvalid", details: `Custom fields: ${field.key}: '${textOf(value)}' is not valid` };
    if (empty) delete kept[key];
    else kept[key] = value;
  }
  return kept;
}

function takes({ type, options }: SandboxField, value: unknown): boolean {
  switch (type) {
    case "checkbox":
      return typeof value === "boolean";
    case "integer":
    case "lookup":
      return Number.isInteger(Number(value));
    case "decimal":
      return Number.isFinite(Number(value));
    case "date":
      return /^\d{4}-\d\d-\d\d/.test(String(value));
    case "dropdown":
      return options.includes(String(value));
    case "multiselect":
      return Array.isArray(value) && value.every((one) => options.includes(String(one)));
    default:
      return typeof value === "string";
  }
}

/** The given fields of those that a record has, the empty ones taken away. */
export function keptStandard(present: Values, given: Values, names: readonly string[]): Values {
  const kept: Record<string, unknown> = { ...present };
  for (const name of names) {
    if (!(name in given)) continue;
    const value = name === "tags" ? toTags(given[name]) : given[name];
    if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) delete kept[name];
    else kept[name] = value;
  }
  return kept;
}

/** A blank ends a tag, and all are in lower case. */
function toTags(given: unknown): readonly string[] {
  return [given].flat().flatMap((tag) =>
    textOf(tag)
      .toLowerCase()
      .split(/[\s,]+/)
      .filter((part) => part !== ""),
  );
}

/** Compared as Zendesk compares external ids, names and e-mail addresses. */
export function isSame(one: unknown, other: unknown): boolean {
  const plain = (value: unknown): string => textOf(value).trim().toLowerCase();
  return plain(one) !== "" && plain(one) === plain(other);
}

/** A value as text; nothing as none. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "").replaceAll('"', "");
}

/** The parts of a list with commas. */
export function listIn(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").filter((one) => one !== "");
}
