/** The values that come with a statement for its placeholders. */
import { z } from "zod";
import type { Cells } from "./results.ts";
import type { Session } from "./session.ts";
import { cast } from "./sql/functions.ts";
import { type Fields, nullNode, numberNode, textNode } from "./sql/nodes.ts";

const value = z.string().nullable();

/** By position, counted from 1; a list of values is one column of several rows. */
export const bindingsSchema = z.record(
  z.string(),
  z.object({ type: z.string(), value: z.union([value, z.array(value)]) }),
);

export type Bindings = z.infer<typeof bindingsSchema>;

/** A value of a placeholder as a literal, by the type that the driver gives it. */
function boundLiteral(type: string, value: string | null): Fields {
  if (value === null) return nullNode;
  if (type === "FIXED") return numberNode(value);
  if (type === "REAL") return cast(numberNode(value), "DOUBLE");
  if (type === "BOOLEAN") return { boolean: { value: value.toLowerCase() === "true" } };
  return textNode(value);
}

/** One row of values, as literals; null when there are several rows. */
export function boundRow(bindings: Bindings): readonly Fields[] | null {
  const literals: Fields[] = [];
  for (const { type, value: bound } of inOrder(bindings)) {
    if (Array.isArray(bound)) return null;
    literals.push(boundLiteral(type, bound));
  }
  return literals;
}

/** Several rows of values, as texts. */
export function boundRows(bindings: Bindings): readonly (readonly (string | null)[])[] {
  const columns = inOrder(bindings).map(({ value: bound }) => (Array.isArray(bound) ? bound : [bound]));
  const [first = []] = columns;
  return first.map((_, row) => columns.map((column) => column[row] ?? null));
}

function inOrder(bindings: Bindings): readonly Bindings[string][] {
  return Object.keys(bindings)
    .toSorted((one, other) => Number(one) - Number(other))
    .flatMap((position) => bindings[position] ?? []);
}

/** Binds wait as texts; DuckDB turns them into what the columns are. */
export async function fillBinds(table: string, rows: readonly Cells[], { connection }: Session): Promise<void> {
  const columns = (rows[0] ?? []).map((_, index) => `c${index + 1} varchar`);
  await connection.run(`create temporary table ${table} (${columns.join(", ")})`);
  const appender = await connection.createAppender(table, "main", "temp");
  for (const row of rows) {
    for (const value of row) {
      if (value === null) appender.appendNull();
      else appender.appendVarchar(value);
    }
    appender.endRow();
  }
  appender.closeSync();
}
