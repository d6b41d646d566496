/** How a team declares its objects: fields, requests, and which answer means what. README.md tells it with examples. */
import { z } from "zod";
import { pointerPattern } from "./pointer.ts";

const text = z.string().min(1);
const pointer = z.string().regex(pointerPattern, "a JSON pointer, such as /error/code");
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const fieldType = z.enum([
  "text",
  "number",
  "integer",
  "boolean",
  "date",
  "datetime",
  "enum",
  "multi_enum",
  "json",
] as const);

const longField = z.strictObject({
  title: text.optional(),
  /** `json` takes whatever the column holds, and any name below it: `data.plan`. */
  type: fieldType.default("json"),
  required: z.boolean().default(false),
  writable: z.boolean().default(true),
  options: z.array(text).min(1).optional(),
  max_length: z.int().min(1).optional(),
  /** Numbers are sent as text, so that no digit is lost. */
  exact: z.boolean().optional(),
  matching: z.enum(["exact", "case_insensitive"]).default("exact"),
});

const condition = z
  .strictObject({
    at: pointer,
    /** The value that stands there, or one of several. */
    is: z.union([scalar, z.array(scalar).min(1)]).optional(),
    present: z.boolean().optional(),
  })
  .refine(({ is, present }) => (is === undefined) !== (present === undefined), "either `is` or `present`");

const when = z.union([condition, z.array(condition).min(1)]).optional();

/** Text that begins with a slash is a pointer into the answer, any other stands for itself. */
const word = text.refine((it) => !it.startsWith("/") || pointerPattern.test(it), "text, or a JSON pointer").optional();

const statusCode = z.union([
  z.int().min(200).max(499),
  z.string().regex(/^[24](xx|\d\d(-[24]\d\d)?)$/, "a status such as 200, 2xx or 400-422"),
]);
const status = z.union([statusCode, z.array(statusCode).min(1)]);

const accepted = { means: z.literal("accepted"), when, id: pointer.optional() };
const rejected = { means: z.literal("rejected"), when, code: word, message: word, field: word };
const inDoubt = { means: z.literal("in_doubt"), when, message: word };

const itemRule = z.discriminatedUnion("means", [
  z.strictObject(accepted),
  z.strictObject(rejected),
  z.strictObject(inDoubt),
]);

/** A list in an answer that tells of records one by one. */
const resultList = z.strictObject({
  at: pointer,
  /** Where an item names its record: by its match fields, or by the `{{ reference }}` that it was sent with. */
  by: z.union([pointer, z.record(text, pointer)]),
  items: z.array(itemRule).min(1),
});

const rule = z.discriminatedUnion("means", [
  z.strictObject({ status, ...accepted }),
  z.strictObject({ status, ...rejected }),
  z.strictObject({ status, ...inDoubt }),
  z.strictObject({ status, means: z.literal("results"), when, lists: z.array(resultList).min(1) }),
  z.strictObject({ status, means: z.literal("busy"), when, message: word, retry_after: pointer.optional() }),
  z.strictObject({ status, means: z.literal("stop"), when, code: word, message: word }),
]);

/** A header's name as HTTP allows it. */
export const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "a header's name");

const operation = z.strictObject({
  method: z.enum(["POST", "PUT", "PATCH", "DELETE"]),
  /** Liquid, put after base_url. Values in it are encoded. */
  path: z.string().regex(/^(\/.*)?$/, "a path that begins with a slash"),
  query: z.record(text, text).default({}),
  headers: z.record(headerName, text).default({}),
  /** Whether a request carries one record or a batch of them. */
  per: z.enum(["record", "batch"]).default("record"),
  /** One record of a batch, as JSON with Liquid. */
  item: z.json().optional(),
  /** The body, as JSON with Liquid. */
  body: z.json().optional(),
  /** The body, as text in Liquid. */
  text: text.optional(),
  content_type: text.default("application/json"),
  answers: z.array(rule).min(1).optional(),
  /** Sent twice it leaves the same record. Default: true but for insert and append. */
  idempotent: z.boolean().optional(),
});

export const objectShape = z.strictObject({
  title: text.optional(),
  /** The field, or the fields that together find a record. */
  match: z.union([text, z.array(text).min(1)]),
  fields: z.record(text, z.union([fieldType, longField])).optional(),
  /** The most that a request per batch carries. */
  batch: z.strictObject({ records: z.int().min(1).max(10_000), bytes: z.int().min(1).default(262_144) }).optional(),
  /** What the answers mean to every operation that does not say it itself. */
  answers: z.array(rule).min(1).optional(),
  operations: z.strictObject({
    upsert: operation.optional(),
    update: operation.optional(),
    insert: operation.optional(),
    append: operation.optional(),
    delete: operation.optional(),
  }),
});

export type DeclaredObject = z.output<typeof objectShape>;
export type DeclaredOperation = z.output<typeof operation>;
export type OperationName = keyof DeclaredObject["operations"];
export type Rule = z.output<typeof rule>;
export type ItemRule = z.output<typeof itemRule>;
export type ResultList = z.output<typeof resultList>;
export type Condition = z.output<typeof condition>;
export type DeclaredField = z.output<typeof longField>;
export type Json = z.output<ReturnType<typeof z.json>>;
