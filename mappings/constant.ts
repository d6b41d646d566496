/** The same value for every row. */
import { z } from "zod";
import type { ColumnType, MappingKind } from "../src/mapping.ts";

/** YAML and JSON read a whole number of more digits than a double holds as another number, without a word. */
const number = z
  .number()
  .refine(
    (value) => !Number.isInteger(value) || Number.isSafeInteger(value),
    "a number of at most 15 digits; put a longer one in quotes to keep every digit",
  );
const scalar = z.union([z.string(), number, z.boolean(), z.null()]);

const options = z.strictObject({
  value: z
    .union([...scalar.options, z.array(scalar)])
    .meta({ description: "The value: text, a number, true or false, null, or a list." }),
});

type Constant = z.infer<typeof options>["value"];

const constant: MappingKind<z.infer<typeof options>> = {
  name: "constant",
  title: "The same value for every row.",
  options,

  columns() {
    return [];
  },

  compile({ value }) {
    const cell = value === null ? null : typeof value === "object" ? JSON.stringify(value) : String(value);
    return { type: typeOf(value), evaluate: () => cell };
  },
};
export default constant;

function typeOf(value: Constant): ColumnType {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "float";
  return value !== null && typeof value === "object" ? "json" : "text";
}
