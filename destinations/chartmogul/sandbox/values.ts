/** Which values ChartMogul takes. */
import { z } from "zod";
import type { SandboxResponse } from "../../../src/sandbox.ts";
import { refusal } from "./answers.ts";

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)));

/** Each type, with what it takes and how that is kept. */
const kinds = {
  String: z.string().max(255),
  Integer: z.union([
    z.int(),
    z
      .string()
      .regex(/^-?\d+$/)
      .transform(Number),
  ]),
  Decimal: z.union([
    z.number(),
    z
      .string()
      .regex(/^-?\d+(\.\d+)?$/)
      .transform(Number),
  ]),
  Timestamp: time.transform((text) => new Date(text).toISOString()),
  Boolean: z.union([
    z.boolean(),
    z.stringbool({ truthy: ["TRUE", "true", "t", "1"], falsy: ["FALSE", "false", "f", "0"] }),
  ]),
} as const;

export type AttributeKind = keyof typeof kinds;

export const attributeKind = z.enum(["String", "Integer", "Decimal", "Timestamp", "Boolean"]);

const attributesSchema = z.array(
  z.object({ type: attributeKind, key: z.string().regex(/^\w+$/), value: z.unknown(), source: z.string().optional() }),
);

/** What attributes are kept as, or the refusal. A type that the account has for a key is not changed. */
export function keptAttributes(
  given: unknown,
  types: ReadonlyMap<string, AttributeKind>,
):
  | { readonly kept: readonly { key: string; type: AttributeKind; value: unknown }[] }
  | { readonly refused: SandboxResponse } {
  const parsed = attributesSchema.safeParse(given);
  if (!parsed.success) {
    // ChartMogul counts from zero whichever attribute it is.
    const part = String(parsed.error.issues[0]?.path[1] ?? "type");
    return {
      refused: refusal(400, `Parameter "custom[0][${part}]" does not have a valid value`, `custom[0][${part}]`),
    };
  }
  const kept = [];
  for (const { key, type, value } of parsed.data) {
    const known = types.get(key);
    if (known !== undefined && known !== type)
      return {
        refused: refusal(422, `The custom attribute "${key}" already exists with the type ${known}.`, "custom"),
      };
    const taken = kinds[type].safeParse(value);
    if (!taken.success) return { refused: refusal(422, `The value of "${key}" is not a valid ${type}.`, "custom") };
    kept.push({ key, type, value: taken.data });
  }
  return { kept };
}

const countries = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** Why a standard field does not take a value; undefined when it does. Null and empty text clear, but for the name. */
export function standardError(field: string, value: unknown): string | undefined {
  if (value === null || value === "") return field === "name" ? "A name is required for each customer." : undefined;
  if (typeof value !== "string") return `The value provided for ${field} is not valid.`;
  switch (field) {
    case "email":
    case "owner":
      return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value)
        ? undefined
        : "The value provided does not appear to be a valid email address.";
    case "country":
      return /^[A-Z]{2}$/.test(value) && countries.of(value) !== undefined && value !== "ZZ"
        ? undefined
        : "The value provided is not a valid ISO-3166 country code.";
    case "lead_created_at":
    case "free_trial_started_at":
      return time.safeParse(value).success ? undefined : "The value provided is not a valid date.";
    default:
      return undefined;
  }
}

/** What ChartMogul keeps of a value: times in milliseconds. */
export function standardKept(field: string, value: unknown): string | null {
  if (typeof value !== "string" || value === "") return null;
  return field.endsWith("_at") ? new Date(value).toISOString() : value;
}
