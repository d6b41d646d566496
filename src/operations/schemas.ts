/**
 * What operations answer: each answer's schema, from which its type, the API's checks and its OpenAPI document come.
 *
 * Names are those that `--json` and REST print, hence in snake case.
 */
import { z } from "zod";
import { kinds } from "../documents/documents.ts";
import { scopes } from "../security/key.ts";

export const time = z.iso.datetime({ offset: true });
export const count = z.int().min(0);

export const runKind = z.enum(["changes", "full", "keys", "baseline", "revert"]);
/** The kinds of run that can be asked for of a sync. */
export const askedKind = runKind.exclude(["revert"]);

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{
  data: z.ZodReadonly<z.ZodArray<Item>>;
  next_cursor: z.ZodNullable<z.ZodString>;
}> {
  return z.object({
    data: z.array(item).readonly(),
    next_cursor: z.string().nullable().meta({ description: "The cursor of the next page; null on the last one." }),
  });
}

/** A whole list. */
export function listOf<Item extends z.ZodType>(item: Item): z.ZodObject<{ data: z.ZodReadonly<z.ZodArray<Item>> }> {
  return z.object({ data: z.array(item).readonly() });
}

const settingChanges = z.array(z.object({ pointer: z.string(), before: z.unknown(), after: z.unknown() })).readonly();

const appliedChange = z.object({
  kind: z.string(),
  name: z.string(),
  change: z.enum(["created", "replaced", "deleted"]),
  edited_over_api: z.boolean().meta({ description: "What is replaced was not what the files said before." }),
  settings: settingChanges.meta({
    description: "What differs in a replaced document, by JSON pointer; null stands for what is not there.",
  }),
});

export const applySchema = z
  .object({
    changes: z.array(appliedChange).readonly(),
    unchanged: count,
    dry_run: z.boolean(),
  })
  .meta({ id: "Applied" });
export type ApplyView = z.output<typeof applySchema>;

export const documentViewSchema = z
  .object({
    kind: z.enum(kinds),
    name: z.string(),
    version: z.int().min(1).meta({ description: "1, then one more with every change." }),
    managed_by: z
      .enum(["files", "api"])
      .meta({ description: "files: it came with sluice apply, and is to be edited there." }),
    updated_at: time,
    document: z
      .record(z.string(), z.unknown())
      .meta({ description: "As it was written; secrets that were written out are masked." }),
  })
  .meta({ id: "Document" });
export type DocumentView = z.output<typeof documentViewSchema>;

export const mappingSchema = z
  .object({
    sync: z.string(),
    version: z.int().min(1).meta({ description: "Of the sync's document." }),
    managed_by: z.enum(["files", "api"]),
    match: z.record(z.string(), z.unknown()).meta({ description: "Destination field: model column." }),
    fields: z.record(z.string(), z.unknown()).meta({ description: "Destination field: where its value comes from." }),
  })
  .meta({ id: "Mapping" });
export type MappingView = z.output<typeof mappingSchema>;

export const suggestionSchema = z
  .object({
    sync: z.string(),
    fields: z
      .record(z.string(), z.string())
      .meta({ description: "Destination field: model column, for those that are not mapped yet." }),
    columns_left: z.array(z.string()).readonly().meta({ description: "Columns that no field is named like." }),
    required_left: z
      .array(z.string())
      .readonly()
      .meta({ description: "Fields that a record needs, and nothing fits." }),
  })
  .meta({ id: "MappingSuggestion", description: "Fields and columns of the same name." });
export type SuggestionView = z.output<typeof suggestionSchema>;

export const documentVersionSchema = z
  .object({
    version: z.int().min(1),
    author: z.string(),
    at: time,
    deleted: z.boolean(),
    changes: settingChanges.meta({
      description: "Against the version before, by JSON pointer; null stands for what is not there.",
    }),
  })
  .meta({ id: "DocumentVersion" });
export type DocumentVersionView = z.output<typeof documentVersionSchema>;

export const typeSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    connection: z.record(z.string(), z.unknown()).meta({ description: "What its connection takes, as JSON Schema." }),
  })
  .meta({ id: "ConnectionType" });
export type TypeView = z.output<typeof typeSchema>;

export const columnSchema = z
  .object({
    name: z.string(),
    type: z.string().meta({
      description: "text, integer, decimal, float, boolean, date, time, timestamp, timestamptz, binary or json.",
    }),
    native: z.string().meta({ description: "The warehouse's own name of the type." }),
  })
  .meta({ id: "Column" });
export type ColumnView = z.output<typeof columnSchema>;

export const sampleSchema = z
  .object({
    count: count.meta({ description: "Rows after the filter." }),
    of: count.meta({ description: "Rows of the whole model." }),
    columns: z.array(columnSchema).readonly(),
    rows: z
      .array(z.record(z.string(), z.string().nullable()))
      .readonly()
      .meta({ description: "The first rows: each value as text, every digit kept." }),
  })
  .meta({ id: "Sample" });
export type SampleView = z.output<typeof sampleSchema>;

export const checkSchema = z
  .object({
    name: z.string(),
    kind: z.enum(["source", "destination", "notification"]),
    ok: z.literal(true),
    account: z.string().meta({ description: "What a person should see of the account." }),
  })
  .meta({ id: "Check" });
export type CheckView = z.output<typeof checkSchema>;

export const grantsSchema = z.object({ source: z.string(), sql: z.string() }).meta({ id: "Grants" });
export type GrantsView = z.output<typeof grantsSchema>;

const fieldSchema = z
  .object({
    name: z.string(),
    title: z.string(),
    type: z.enum(["text", "number", "integer", "boolean", "date", "datetime", "enum", "multi_enum", "json"]),
    writable: z.boolean().meta({ description: "A field that cannot be written may still be a match." }),
    matches: z.boolean().meta({ description: "Its value finds at most one record." }),
    required: z.boolean().exactOptional(),
    options: z
      .array(z.object({ value: z.string(), title: z.string() }))
      .readonly()
      .exactOptional(),
    maxLength: count.exactOptional(),
    exact: z.boolean().exactOptional().meta({ description: "Every digit of a number is kept." }),
    matching: z.enum(["exact", "case_insensitive"]).exactOptional(),
  })
  .meta({ id: "Field" });

export const objectsSchema = z.object({
  objects: z.array(z.object({ name: z.string(), title: z.string() })).readonly(),
});

const modes = z.array(z.enum(["upsert", "update", "insert", "mirror", "append"])).readonly();

export const objectSchema = z
  .object({
    object: z.string(),
    title: z.string(),
    modes,
    removals: z.array(z.enum(["archive", "delete", "clear"])).readonly(),
    idempotent: modes.meta({ description: "Modes in which the same change, sent twice, leaves the same record." }),
    reads: z
      .boolean()
      .meta({ description: "Records can be read before they are written, so that a field can say `when`." }),
    matchFields: count.optional().meta({ description: "The most fields that a match may have. Left out: any number." }),
    batch: z.object({
      records: count,
      recordsOf: z.record(z.string(), count).optional().meta({ description: "Operations with another number." }),
      bytes: count.optional(),
    }),
    fields: z.array(fieldSchema).readonly(),
  })
  .meta({ id: "DestinationObject" });
export type DescribeView = z.output<typeof objectsSchema> | z.output<typeof objectSchema>;

export const secretSchema = z
  .object({
    name: z.string(),
    version: z.int().min(1).meta({ description: "1, then one more whenever it is set." }),
    author: z.string(),
    updated_at: time,
    used_by: z.array(z.string()).readonly().meta({ description: "The documents that name it." }),
  })
  .meta({ id: "Secret", description: "A stored secret. What it says goes in, and never comes out." });
export type SecretView = z.output<typeof secretSchema>;

export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scope: z.enum(scopes),
    valid: z.boolean().meta({ description: "Neither revoked nor expired." }),
    created_by: z.string(),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable(),
  })
  .meta({ id: "Key" });
export type KeyView = z.output<typeof keySchema>;

export const madeKeySchema = keySchema
  .extend({ key: z.string().meta({ description: "The key itself. It is nowhere else." }) })
  .meta({ id: "MadeKey" });
export type MadeKeyView = z.output<typeof madeKeySchema>;

export const auditSchema = z
  .object({
    at: time,
    actor: z.string().meta({
      description: "The key's id and name; anyone while there were no keys, nobody for who was not known.",
    }),
    address: z.string(),
    action: z.string(),
    status: z.int(),
    detail: z.unknown(),
  })
  .meta({ id: "AuditEntry" });
export type AuditView = z.output<typeof auditSchema>;

export const triggerViewSchema = z
  .object({
    trigger: z.string(),
    sync: z.string(),
    scheme: z.string(),
    run: askedKind,
    keys: z.string().nullable().meta({ description: "Where the payload has the keys of the rows to send." }),
    path: z.string().meta({
      description:
        "The address below the service's own. It is a part of the secret: only who may call it should know it.",
    }),
  })
  .meta({ id: "TriggerAddress" });
export type TriggerView = z.output<typeof triggerViewSchema>;

export const noticeSchema = z
  .object({
    id: z.string().meta({ description: "webhook-id, the same for every attempt." }),
    run: z.string(),
    event: z.string().meta({ description: "What the run had come to." }),
    at: time,
    attempts: count,
    status: z.enum(["waiting", "delivered", "given_up"]),
    delivered_at: time.nullable(),
    next_attempt_at: time.nullable(),
    failure: z.string().nullable().meta({ description: "Why the last attempt failed." }),
  })
  .meta({ id: "Notice" });
export type NoticeView = z.output<typeof noticeSchema>;

export const problemSchema = z
  .object({
    type: z.string().meta({ description: "Where the service explains the code, as a path of its own." }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: "Stable: programs may go by it." }),
    detail: z.string(),
    hint: z.string().optional().meta({ description: "What to do." }),
    errors: z
      .array(
        z.looseObject({
          pointer: z.string().meta({ description: "Where in what was sent, as a JSON pointer." }),
          detail: z.string(),
        }),
      )
      .readonly()
      .optional(),
  })
  .meta({ id: "Problem", description: "What went wrong, as RFC 9457 has it." });
