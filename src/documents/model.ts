import { z } from "zod";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { recordAt, valueAt } from "./value-at.ts";
import { columnName, name, text } from "./values.ts";

/** As people write it. The path is relative to the workspace's folder. */
const dbtModel = z.strictObject({
  manifest: text.meta({ description: "dbt's target/manifest.json, relative to the workspace's folder." }),
  model: text.meta({ description: "The model: name, package.name or unique id." }),
});

/** As it is stored: where the table comes from. */
const dbtProvenance = z.strictObject({
  unique_id: text,
  package: text,
  model: text,
  version: text.optional(),
  columns: z.record(z.string(), z.string()).optional().meta({ description: "The columns' descriptions." }),
});

/** A query or a table of a source, with the key that identifies a row. */
export const modelSchema = z.strictObject({
  kind: z.literal("model"),
  name: name.meta({ description: "What segments and syncs call this model." }),
  source: name.meta({ description: "The source that it reads." }),
  sql: text.optional().meta({ description: "One SELECT statement. Exactly one of sql, table and dbt is given." }),
  table: text.optional().meta({ description: "A table or view, such as analytics.marts.accounts." }),
  dbt: z.union([dbtModel, dbtProvenance]).optional().meta({
    description: "A dbt model, by its manifest. Stored with its table, and with what the manifest said of it.",
  }),
  key: z
    .union([columnName, z.array(columnName).min(1)])
    .meta({ description: "The column, or the columns, whose value is never null and never the same in two rows." }),
});

export type ModelDocument = z.infer<typeof modelSchema>;

/** What the schema alone cannot say of a model. Takes the document as written, however wrong. */
export function modelRules(value: unknown): Problem[] {
  const { key } = recordAt(value, []);
  const problems = originRules(value);
  if (Array.isArray(key)) {
    const repeated = key.findIndex((column, index) => key.indexOf(column) !== index);
    if (repeated !== -1) {
      const message = `the column ${JSON.stringify(key[repeated])} is in the key twice`;
      problems.push(problem("duplicate", ["key", repeated], message, { expected: "each key column once" }));
    }
  }
  return problems;
}

/** Exactly one of sql, table and a dbt model; what is stored of a dbt model has its table. */
function originRules(value: unknown): Problem[] {
  const expected = "exactly one of sql, table and dbt";
  const given = ["sql", "table", "dbt"].filter((name) => valueAt(value, [name]) !== undefined);
  const [first, second] = given;
  const stored = valueAt(value, ["dbt", "unique_id"]) !== undefined;
  if (first === undefined)
    return [problem("missing", [], "the model says neither sql nor table nor dbt", { expected })];
  if (second !== undefined && !(stored && first === "table" && given.length === 2))
    return [problem("conflict", [second], `the model says both ${first} and ${second}`, { expected })];
  if (stored && first !== "table")
    return [problem("missing", ["table"], "the dbt model's table is missing", { expected: "its relation" })];
  // What is not even a manifest and a model is the schema's to report.
  if (first !== "dbt" || typeof valueAt(value, ["dbt", "model"]) !== "string") return [];
  const message = "a manifest is read where its file is";
  return [problem("dbt", ["dbt", "manifest"], message, { expected: '"sluice apply" from the workspace\'s folder' })];
}
