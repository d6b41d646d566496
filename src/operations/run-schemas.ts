/** What operations answer of runs and plans, as `schemas.ts` has the rest. */
import { z } from "zod";
import { count, pageOf, runKind, time } from "./schemas.ts";

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
    status: z.int().nullable().meta({ description: "null when no answer came, and for other protocols than HTTP." }),
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
