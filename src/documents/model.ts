import { z } from "zod";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { recordAt } from "./value-at.ts";
import { columnName, name, text } from "./values.ts";

/** A query or a table of a source, with the key that identifies a row. */
export const modelSchema = z.strictObject({
  kind: z.literal("model"),
  name: name.meta({ description: "What segments and syncs call this model." }),
  source: name.meta({ description: "The source that it reads." }),
  sql: text.optional().meta({ description: "One SELECT statement. Exactly one of sql and table is given." }),
  table: text.optional().meta({ description: "A table or view, such as analytics.marts.accounts." }),
  key: z
    .union([columnName, z.array(columnName).min(1)])
    .meta({ description: "The column, or the columns, whose value is never null and never the same in two rows." }),
});

export type ModelDocument = z.infer<typeof modelSchema>;

/** What the schema alone cannot say of a model. Takes the document as written, however wrong. */
export function modelRules(value: unknown): Problem[] {
  const { sql, table, key } = recordAt(value, []);
  const problems: Problem[] = [];
  if (sql === undefined && table === undefined) {
    problems.push(
      problem("missing", [], "the model says neither sql nor table", { expected: "exactly one of sql and table" }),
    );
  } else if (sql !== undefined && table !== undefined) {
    problems.push(
      problem("conflict", ["table"], "the model says both sql and table", { expected: "exactly one of the two" }),
    );
  }
  if (Array.isArray(key)) {
    const repeated = key.findIndex((column, index) => key.indexOf(column) !== index);
    if (repeated !== -1) {
      const message = `the column ${JSON.stringify(key[repeated])} is in the key twice`;
      problems.push(problem("duplicate", ["key", repeated], message, { expected: "each key column once" }));
    }
  }
  return problems;
}
