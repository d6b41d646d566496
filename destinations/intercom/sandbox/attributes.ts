/** A workspace's custom attributes, and which values Intercom takes in them. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { refusal } from "./answers.ts";

export const attributeSchema = z.object({
  model: z.enum(["contact", "company"]),
  name: z.string(),
  data_type: z.enum(["string", "integer", "float", "boolean", "date"]).default("string"),
  label: z.string().optional(),
  options: z.array(z.string()).optional(),
  api_writable: z.boolean().default(true),
  archived: z.boolean().default(false),
});

export type Attribute = z.output<typeof attributeSchema>;

/** As Intercom lists it. */
export function shownAttribute(
  { name, label, ...attribute }: Attribute,
  at: number,
): Readonly<Record<string, unknown>> {
  return {
    type: "data_attribute",
    id: 9000 + at,
    name,
    full_name: `custom_attributes.${name}`,
    label: label ?? name,
    ui_writable: true,
    messenger_writable: true,
    custom: true,
    ...attribute,
  };
}

/** Standard attributes, of which Intercom lists many more. */
export const standardAttributes: readonly Readonly<Record<string, unknown>>[] = [
  { model: "contact", name: "name", data_type: "string", api_writable: true },
  { model: "contact", name: "email", data_type: "string", api_writable: true },
  { model: "company", name: "name", data_type: "string", api_writable: true },
  { model: "company", name: "company_id", data_type: "string", api_writable: false },
  { model: "company", name: "monthly_spend", data_type: "float", api_writable: true },
].map((attribute) => ({
  type: "data_attribute",
  full_name: attribute.name,
  label: attribute.name,
  custom: false,
  archived: false,
  ...attribute,
}));

/** Text beyond it is cut off without a word. */
const keptLength = 255;

const takes: Readonly<Record<Attribute["data_type"], (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
  float: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  date: Number.isInteger,
};

/** What is kept of custom attributes, or why none of them is taken. */
export function keptCustom(
  given: unknown,
  model: Attribute["model"],
  attributes: readonly Attribute[],
): { readonly kept: Readonly<Record<string, unknown>> } | { readonly refused: SandboxResponse } {
  const parsed = z.record(z.string(), z.unknown()).safeParse(given ?? {});
  if (!parsed.success) return { refused: refusal(400, "type_mismatch", "custom_attributes must be an object") };
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parsed.data)) {
    const attribute = attributes.find((one) => one.model === model && one.name === name && !one.archived);
    const refused = customError(name, value, attribute);
    if (refused) return { refused };
    kept[name] = typeof value === "string" ? value.slice(0, keptLength) : value;
  }
  return { kept };
}

function customError(name: string, value: unknown, attribute: Attribute | undefined): SandboxResponse | undefined {
  if (!attribute) return refusal(400, "parameter_invalid", `Custom attribute '${name}' does not exist`);
  if (!attribute.api_writable)
    return refusal(400, "parameter_invalid", `Custom attribute '${name}' is not writable through the API`);
  if (value === null) return undefined;
  if (!takes[attribute.data_type](value))
    return refusal(400, "type_mismatch", `Custom attribute '${name}' must be of type ${attribute.data_type}`);
  if (attribute.options && !attribute.options.some((option) => option === value))
    return refusal(400, "parameter_invalid", `Custom attribute '${name}' must be one of its options`);
  return undefined;
}
