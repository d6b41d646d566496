/**
 * What operations answer: each answer's schema, from which its type, the API's checks and its OpenAPI document come.
 *
 * Names are those that `--json` and REST print, hence in snake case.
 */
import { z } from "zod";
import { kinds } from "../documents/documents.ts";
import { scopes } from "../security/key.ts";

const time = z.iso.datetime({ offset: true });
const count = z.int().min(0);

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

const plannedCounts = z.object({
  added: count,
  changed: count,
  removed: count,
  faulty_keys: count.meta({
    description: "Rows withheld: their key is null or not unique, or another row has the same match values.",
  }),
});
export type PlannedCounts = z.output<typeof plannedCounts>;

const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  again_at: time.optional().meta({ description: "When a service tries again by itself." }),
});
const gateReport = z.object({ reasons: z.array(z.object({ code: z.string(), message: z.string() })).readonly() });
export const runKind = z.enum(["changes", "full", "keys", "baseline", "revert"]);
/** The kinds of run that can be asked for of a sync. */
export const askedKind = runKind.exclude(["revert"]);

export const runSchema = z
  .object({
    run: z.string(),
    sync: z.string(),
    kind: runKind,
    reverts: z.string().nullable().meta({ description: "Of a revert: the run that it undoes." }),
    trigger: z.string().meta({ description: "What asked for it, such as schedule or api." }),
    status: z.enum([
      "queued",
      "planning",
      "held",
      "sending",
      "committing",
      "succeeded",
      "partial",
      "failed",
      "cancelled",
    ]),
    planned: plannedCounts.nullable().meta({ description: "null until it is planned." }),
    unchanged: count,
    waiting: count.meta({ description: "Rows that differ, but were rejected lately and wait for their back-off." }),
    not_found: count.meta({ description: "Keys that were named, and that neither the model nor the destination has." }),
    accepted: count,
    rejected: count,
    invalid: count,
    in_doubt: count,
    unsent: count.meta({ description: "Of in_doubt: never sent, because the run ended before." }),
    already_there: count.meta({ description: "Of accepted: the destination held that very record already." }),
    requests: count,
    seconds: z.number().min(0),
    created_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
    failure: failure.nullable(),
    gate: gateReport.nullable().meta({ description: "Why the gate holds it." }),
  })
  .meta({
    id: "Run",
    description: "accepted + rejected + invalid + in_doubt is what was planned, in every run that ended.",
  });
export type RunView = z.output<typeof runSchema>;

const rejectionSchema = z
  .object({
    row_key: z.string(),
    kind: z.enum(["rejected", "invalid"]),
    code: z.string(),
    message: z.string(),
    field: z.string().nullable(),
  })
  .meta({
    id: "Rejection",
    description: "A row that was not taken: rejected by the destination, or invalid before it was sent.",
  });
export type RejectionView = z.output<typeof rejectionSchema>;

export const rejectionsSchema = pageOf(rejectionSchema).extend({
  causes: z
    .array(z.object({ code: z.string(), field: z.string().nullable(), count, message: z.string() }))
    .readonly()
    .meta({ description: "How many there are of each cause, most first." }),
});
export type RejectionsView = z.output<typeof rejectionsSchema>;

export const exchangeSchema = z
  .object({
    at: time,
    method: z.string(),
    path: z.string(),
    status: z.int().nullable().meta({ description: "null when no answer came." }),
    ms: z.int().min(0),
    request: z.string().nullable().meta({ description: "The body's names and form, without its values." }),
    answer: z.string().nullable().meta({ description: "Likewise; of a failure the vendor's own words." }),
  })
  .meta({
    id: "Exchange",
    description: "One of a run's requests: the first five, one of each hundred, and those that failed.",
  });
export type ExchangeView = z.output<typeof exchangeSchema>;

const plannedChange = z.object({
  row_key: z.string(),
  change: z.string(),
  match: z.record(z.string(), z.unknown()),
  record: z.record(z.string(), z.unknown()).nullable(),
  destination_id: z.string().nullable(),
  changes: z
    .array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() }))
    .readonly()
    .nullable()
    .meta({
      description:
        "Which fields change, from what to what, where the sync keeps values and the old ones are known. before is left out of a field that is new.",
    }),
  problem: z
    .object({ code: z.string(), message: z.string(), field: z.string().nullable() })
    .nullable()
    .meta({ description: "Why it will not be sent, if it will not." }),
});
export type PlannedChangeView = z.output<typeof plannedChange>;

const invalidCause = z.object({ code: z.string(), field: z.string().nullable(), message: z.string(), count });

export const planSchema = z
  .object({
    sync: z.string(),
    planned: plannedCounts,
    unchanged: count,
    waiting: count,
    to_send: count.meta({ description: "Changes that would go out." }),
    already_there: count.meta({
      description:
        "Rows that were planned, but whose record is as the destination has it: after an edit of the mapping.",
    }),
    invalid: count.meta({ description: "Rows that will not be sent: their key is at fault, or a value does not fit." }),
    causes: z.array(invalidCause).readonly().meta({ description: "Why rows are invalid, most first." }),
    fields: z
      .array(z.object({ field: z.string(), changed: count }))
      .readonly()
      .nullable()
      .meta({ description: "How many records change each field; null where the sync does not keep values." }),
    gate: gateReport.nullable().meta({ description: "Why a run would be held, if it would." }),
    sample: z.array(plannedChange).readonly(),
    requests: count.meta({ description: "Requests that write, if every batch is accepted at once." }),
    seconds_at_pace: z
      .number()
      .min(0)
      .meta({ description: "How long these requests take at the most that the vendor's limits allow, if it has any." }),
  })
  .meta({ id: "Plan", description: "What a run would do now." });
export type PlanView = z.output<typeof planSchema>;

export const revertSchema = z
  .object({
    reverts: z.string(),
    sync: z.string(),
    changed: count.meta({ description: "Records that go back to what they were before the run." }),
    restored: count.meta({ description: "Records that the run removed, and that are made again." }),
    first: count.meta({
      description: "Rows that the run sent for the first time: they stay, for what was there before is not known.",
    }),
    overtaken: count.meta({ description: "Rows that a later run has sent or removed: they stay as they are." }),
    unknown: count.meta({ description: "Rows of which no earlier record was kept: they stay as they are." }),
    sample: z.array(plannedChange).readonly(),
  })
  .meta({ id: "Revert", description: "What undoing a run would do now." });
export type RevertView = z.output<typeof revertSchema>;

export const previewSchema = z
  .object({
    sync: z.string(),
    records: z.array(plannedChange.pick({ row_key: true, match: true, record: true, problem: true })).readonly(),
  })
  .meta({ id: "Preview", description: "What the first rows of the model become. Nothing is sent." });
export type PreviewView = z.output<typeof previewSchema>;

export const statusSchema = z
  .object({
    sync: z.string(),
    from: z.string(),
    to: z.string(),
    schedule: z.string().nullable(),
    after: z.string().nullable().meta({ description: "The sync whose runs it follows." }),
    paused: z.boolean(),
    next_run: time.nullable().meta({ description: "When its schedule is due next; null if it has none or is paused." }),
    last_run: runSchema.nullable(),
  })
  .meta({ id: "SyncStatus" });
export type StatusView = z.output<typeof statusSchema>;

export const dbtRanSchema = z
  .object({
    sync: z.string(),
    model: z.string(),
    run: z.string().nullable(),
    reason: z.string().meta({ description: "Why it runs, or why not." }),
  })
  .meta({ id: "DbtRan" });
export type DbtRanView = z.output<typeof dbtRanSchema>;

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

export const objectSchema = z
  .object({
    object: z.string(),
    title: z.string(),
    modes: z.array(z.enum(["upsert", "update", "insert", "mirror", "append"])).readonly(),
    removals: z.array(z.enum(["archive", "delete", "clear"])).readonly(),
    batch: z.object({ records: count, bytes: count.optional() }),
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
    type: z.string(),
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
