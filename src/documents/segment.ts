import { z } from "zod";
import type { Filter } from "../warehouse.ts";
import { columnName, exactNumber, name, text } from "./values.ts";

const scalar = z.union([z.string(), exactNumber, z.boolean()]);

const condition = z.discriminatedUnion("is", [
  z.strictObject({ column: columnName, is: z.enum(["=", "!=", ">", ">=", "<", "<="]), value: scalar }),
  z.strictObject({ column: columnName, is: z.enum(["in", "not_in"]), value: z.array(scalar).min(1) }),
  z.strictObject({ column: columnName, is: z.enum(["contains", "starts_with", "ends_with"]), value: z.string() }),
  z.strictObject({ column: columnName, is: z.enum(["null", "not_null"]) }),
]);

/** A segment's filter: conditions on columns, joined by all, any and not, or SQL. */
export const filterSchema: z.ZodType<Filter> = z
  .lazy(() =>
    z.union([
      z.strictObject({ all: z.array(filterSchema).min(1) }),
      z.strictObject({ any: z.array(filterSchema).min(1) }),
      z.strictObject({ not: filterSchema }),
      z.strictObject({ sql: text }),
      condition,
    ]),
  )
  .meta({
    id: "Filter",
    description: "A condition on a column, several joined by all, any or not, or a SQL condition.",
  });

/** A named filter on a model: the audience. */
export const segmentSchema = z.strictObject({
  kind: z.literal("segment"),
  name: name.meta({ description: "What syncs call this segment." }),
  model: name.meta({ description: "The model that it narrows." }),
  filter: filterSchema,
});

export type SegmentDocument = z.infer<typeof segmentSchema>;
