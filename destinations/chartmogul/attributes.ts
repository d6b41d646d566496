/**
 * The custom attributes of an account. ChartMogul fixes an attribute's type when it is first written, and no call lists
 * the attributes: their types are read from the customers that have them. Pure.
 */
import { DestinationError } from "../../src/destination.ts";
import type { Customer } from "./answers.ts";
import type { AttributeType, CustomerSettings } from "./settings.ts";

/** By key, the types that all its values can be of, likeliest first. */
export type SeenAttributes = Map<string, readonly AttributeType[]>;

/** Adds what these customers show of the account's attributes. */
export function noteAttributes(seen: SeenAttributes, customers: readonly Customer[]): void {
  for (const { attributes } of customers) {
    for (const [key, value] of Object.entries(attributes?.custom ?? {})) {
      if (value === null) continue;
      const possible = typesOf(value);
      seen.set(key, seen.get(key)?.filter((type) => possible.includes(type)) ?? possible);
    }
  }
}

const timestamp = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/;

/** The types that a value can be of. What was once written without a type may be shown as text: `"5678"`, `"f"`. */
function typesOf(value: unknown): readonly AttributeType[] {
  if (typeof value === "boolean") return ["Boolean"];
  if (typeof value === "number") return Number.isInteger(value) ? ["Integer", "Decimal"] : ["Decimal"];
  if (typeof value !== "string") return [];
  if (timestamp.test(value)) return ["Timestamp", "String"];
  const others: readonly (readonly [AttributeType, RegExp])[] = [
    ["Integer", /^-?\d+$/],
    ["Decimal", /^-?\d+(\.\d+)?$/],
    ["Boolean", /^(true|t|1|false|f|0)$/i],
  ];
  return ["String", ...others.flatMap(([type, form]) => (form.test(value) ? [type] : []))];
}

/**
 * The type of each attribute: as declared in the settings, else as its values show. Throws `refused`, code `type_clash`,
 * for a declared type that the account's values are not of. An attribute whose values are of no one type is left out.
 */
export function settleTypes(
  seen: SeenAttributes,
  { custom_attributes: declared }: CustomerSettings,
): ReadonlyMap<string, AttributeType> {
  const settled = new Map<string, AttributeType>();
  for (const [key, [likeliest]] of seen) if (likeliest !== undefined) settled.set(key, likeliest);
  for (const [key, type] of Object.entries(declared)) {
    const possible = seen.get(key) ?? [type];
    if (!possible.includes(type)) throw typeClash(key, type, possible);
    settled.set(key, type);
  }
  return settled;
}

function typeClash(key: string, declared: AttributeType, possible: readonly AttributeType[]): DestinationError {
  const shown = possible.length === 0 ? "values of several types" : `values of type ${possible.join(" or ")}`;
  const message =
    `to.settings.custom_attributes.${key} says ${declared}, but customers have ${shown} in it. ` +
    "ChartMogul fixes an attribute's type when it is first written: use that type, or another key.";
  return new DestinationError("refused", message, { code: "type_clash", applied: "no", field: `custom.${key}` });
}
