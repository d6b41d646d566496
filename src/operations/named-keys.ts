/** Rows as people and programs name them. */
import { UsageError } from "../errors.ts";
import type { RowKey } from "../warehouse.ts";
import type { GivenKey } from "./operations.ts";

/** The keys as texts of the model's key columns. Throws UsageError `key_invalid` for one of another number of columns. */
export function namedKeys(given: readonly GivenKey[], columns: readonly string[]): readonly RowKey[] {
  return given.map((key) => {
    const texts = valuesOf(key, columns.length).map(String);
    if (texts.length === columns.length) return texts;
    throw new UsageError(
      "key_invalid",
      `${JSON.stringify(key)} does not name a row: the key is ${columns.join(", ")}.`,
      {
        hint:
          columns.length === 1
            ? "Give one value for each row."
            : `Give a list of ${columns.length} values for each row.`,
      },
    );
  });
}

/** Of several columns a text is the row key that rejections show: a JSON array. */
function valuesOf(key: GivenKey, columns: number): readonly unknown[] {
  if (typeof key !== "string") return typeof key === "object" ? key : [key];
  return columns === 1 ? [key] : listIn(key);
}

function listIn(text: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [text];
  } catch {
    return [text];
  }
}
