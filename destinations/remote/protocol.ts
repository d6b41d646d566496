/** What a remote adapter may answer, version 1. README.md is the reference for those who write one. */
import { z } from "zod";
import type { FieldType, Mode, ObjectDescription, Operation, Removal, Value } from "../../src/destination.ts";

export const version = "1";
export const versionHeader = "sluice-protocol";

const modes = ["upsert", "update", "insert", "mirror", "append"] as const satisfies readonly Mode[];
const removals = ["archive", "delete", "clear"] as const satisfies readonly Removal[];
const operations = ["upsert", "update", "insert", "append", ...removals] as const satisfies readonly Operation[];
const types = [
  "text",
  "number",
  "integer",
  "boolean",
  "date",
  "datetime",
  "enum",
  "multi_enum",
  "json",
] as const satisfies readonly FieldType[];

const name = z.string().min(1).max(200);
const title = z.string().min(1).max(500);

/** `GET /` */
export const aboutSchema = z.strictObject({ account: title });

/** `GET /objects` */
export const objectsSchema = z.strictObject({ objects: z.array(z.strictObject({ name, title })) });

const fieldSchema = z
  .strictObject({
    name,
    title: title.optional(),
    type: z.enum(types),
    writable: z.boolean().default(true),
    matches: z.boolean().default(false),
    required: z.boolean().default(false),
    options: z
      .array(z.strictObject({ value: z.string(), title: z.string().optional() }))
      .min(1)
      .optional(),
    max_length: z.int().min(1).optional(),
    exact: z.boolean().default(false),
    matching: z.enum(["exact", "case_insensitive"]).default("exact"),
  })
  .refine(({ options, type }) => options === undefined || type === "enum" || type === "multi_enum", {
    path: ["options"],
    error: "only of an enum or a multi_enum",
  });

/** `POST /describe` */
export const descriptionSchema = z
  .strictObject({
    name,
    title,
    modes: z.array(z.enum(modes)).min(1),
    removals: z.array(z.enum(removals)).default([]),
    batch: z.strictObject({
      records: z.int().min(1).max(10_000),
      records_of: z.partialRecord(z.enum(operations), z.int().min(1).max(10_000)).default({}),
      bytes: z.int().min(1).optional(),
      at_once: z.int().min(1).max(64).optional(),
    }),
    match_fields: z.int().min(1).optional(),
    idempotent: z.array(z.enum(modes)),
    fields: z.array(fieldSchema).min(1),
    reads: z.boolean().default(false),
  })
  .superRefine(({ modes: able, removals: removes, fields }, context) => {
    const names = fields.map((field) => field.name);
    for (const [at, one] of names.entries())
      if (names.indexOf(one) !== at)
        context.addIssue({ code: "custom", path: ["fields", at, "name"], message: `"${one}" is there twice` });
    if (able.includes("mirror") !== removes.length > 0)
      context.addIssue({ code: "custom", path: ["removals"], message: "mirror and removals need each other" });
    if (!fields.some(({ matches }) => matches))
      context.addIssue({ code: "custom", path: ["fields"], message: "no field finds a record: none says matches" });
  });

/** A description in the service's own form. */
export function toDescription(said: z.output<typeof descriptionSchema>): ObjectDescription {
  const { records, records_of: recordsOf, bytes, at_once: atOnce } = said.batch;
  return {
    name: said.name,
    title: said.title,
    modes: said.modes,
    removals: said.removals,
    batch: {
      records,
      recordsOf,
      ...(bytes === undefined ? {} : { bytes }),
      ...(atOnce === undefined ? {} : { atOnce }),
    },
    ...(said.match_fields === undefined ? {} : { matchFields: said.match_fields }),
    idempotent: Object.fromEntries(modes.map((mode) => [mode, said.idempotent.includes(mode)])) as Record<
      Mode,
      boolean
    >,
    fields: said.fields.map(({ title: shown, options, max_length, ...field }) => ({
      ...field,
      title: shown ?? field.name,
      ...(options ? { options: options.map(({ value, title: of = value }) => ({ value, title: of })) } : {}),
      ...(max_length === undefined ? {} : { maxLength: max_length }),
    })),
    reads: said.reads,
  };
}

/** The end of a write or a job. Each result is looked at by itself, so that one in a wrong form costs no other. */
export const resultsSchema = z.strictObject({ results: z.array(z.unknown()) });

const seq = z.int();
export const namedSchema = z.looseObject({ seq });
export const resultSchema = z.discriminatedUnion("outcome", [
  z.strictObject({ seq, outcome: z.literal("accepted"), id: z.string().min(1).max(1000).optional() }),
  z.strictObject({
    seq,
    outcome: z.literal("rejected"),
    code: name,
    message: z.string().min(1),
    field: name.optional(),
  }),
  z.strictObject({ seq, outcome: z.literal("in_doubt"), message: z.string().min(1) }),
]);

/** 202 to a write: the work goes on. */
export const startedSchema = z.strictObject({
  job: z
    .string()
    .min(1)
    .max(1000)
    // In a path these lead elsewhere.
    .refine((job) => job !== "." && job !== "..", "a name, not a step in a path"),
});

const value: z.ZodType<Value> = z.json();

/** `POST /read` */
export const recordsSchema = z.strictObject({
  records: z.array(z.strictObject({ seq, record: z.record(z.string(), value).nullable() })),
});

/** The body of a refusal; of a failure as well, where the adapter has one. */
export const refusalSchema = z.object({
  code: z.string().regex(/^[a-z][a-z\d_]{0,63}$/),
  message: z.string().min(1),
  field: z.string().min(1).optional().catch(undefined),
});

/** What is wrong in an answer, and where: `results[2].outcome: …`. */
export function faultsOf(error: z.ZodError): string {
  const places = error.issues.slice(0, 5).map(({ path, message }) => {
    const place = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
    return place === "" ? message : `${place.replace(/^\./, "")}: ${message}`;
  });
  return places.join("; ");
}
