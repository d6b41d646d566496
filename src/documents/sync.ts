import { z } from "zod";
import { problem } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { recordAt, valueAt } from "./value-at.ts";
import { bound, columnName, cron, duration, durationMs, json, name, text, timezone } from "./values.ts";

const unsafeParts = new Set(["", "__proto__", "prototype", "constructor"]);

/** A destination field; dots nest. Parts that would reach into a JavaScript object's own workings are refused. */
const targetField = z
  .string()
  .max(255)
  .refine(
    (target) => target.split(".").every((part) => !unsafeParts.has(part)) && !/[[\]\p{Cc}]/u.test(target),
    "the name of a destination field, with dots between nested names",
  );

/** What becomes of a field whose value is null. */
export const whenNull = z.enum(["skip", "clear", "reject"]).meta({
  description: "What becomes of a null: leave the field out, clear it, or reject the row. clear if not given.",
});

/** When a field is written. */
export const when = z.enum(["always", "insert", "if_empty"]).meta({
  description:
    "insert: only into records that are made. if_empty: only where the record has no value yet. Each record is then read before it is written, where the destination can. always if not given.",
});

/** One field's mapping. Which kind of mapping it is, its keys tell; `readField` checks them. */
const field = z.union([columnName, z.looseObject({ when_null: whenNull.optional(), when: when.optional() })]).meta({
  description: "A model column, or a mapping such as { template: … } or { value: … } with an optional when_null.",
});

const gateOfChanges = {
  changed: bound
    .optional()
    .meta({ description: "Hold the run when more than this share or number of records would change." }),
  fields: z.record(targetField, bound).optional().meta({
    description:
      "Hold the run when more than this share or number of records would change a field. The sync keeps values for that.",
  }),
};

const gate = z.strictObject({
  ...gateOfChanges,
  removed: bound
    .default("30%")
    .meta({ description: "Hold the run when more than this share or number of rows would be removed." }),
  rejected: bound
    .default("10%")
    .meta({ description: "Stop the run when more than this share or number of changes is rejected." }),
  keys: z
    .enum(["withhold", "hold"])
    .default("withhold")
    .meta({ description: "Rows with a null or repeated key: withhold those rows, or hold the whole run." }),
});

const schedule = z.strictObject({
  every: duration.optional().meta({ description: "The time between two runs, such as 15m." }),
  cron: cron.optional().meta({ description: "Five cron fields, such as 0 6 * * 1-5." }),
  timezone: timezone.optional().meta({ description: "The time zone that cron is read in. UTC if not given." }),
  jitter: duration
    .optional()
    .meta({ description: "A run begins so much later at most, so that not all begin together." }),
});

const after = z.strictObject({
  sync: name.meta({ description: "The sync that goes first." }),
  when: z.enum(["succeeded", "ended"]).default("succeeded").meta({
    description:
      "succeeded: its run did all that it could, also if rows were rejected (partial). ended: whatever became of it.",
  }),
});

/** A model or segment sent to an object of a destination. */
export const syncSchema = z.strictObject({
  kind: z.literal("sync"),
  name: name.meta({ description: "What runs, tables and commands call this sync." }),
  from: z
    .strictObject({
      model: name.meta({ description: "The model." }),
      segment: name.optional().meta({ description: "A segment of that model. Every row of the model if not given." }),
    })
    .meta({ description: "The model, and the segment that narrows it." }),
  to: z
    .strictObject({
      destination: name.meta({ description: "The destination." }),
      object: text.meta({ description: "The object, such as contacts or companies." }),
      settings: z
        .record(z.string(), json)
        .optional()
        .meta({ description: "Settings of the object, such as which list." }),
    })
    .meta({ description: "The destination and the object of it that is written." }),
  mode: z
    .enum(["upsert", "update", "insert", "mirror", "append"])
    .meta({ description: "What is done with a row: upsert, update, insert, append; mirror also removes what left." }),
  match: z
    .record(targetField, columnName)
    .default({})
    .meta({ description: "Destination field: model column. Together they find the record of a row." }),
  fields: z
    .record(targetField, field)
    .default({})
    .meta({ description: "Destination field: where its value comes from." }),
  removed: z
    .enum(["archive", "delete", "clear", "ignore"])
    .optional()
    .meta({ description: "Mirror only: what becomes of the record of a row that left. archive if not given." }),
  schedule: schedule.optional().meta({ description: "When it runs: every so often, or by cron." }),
  after: after.optional().meta({ description: "It also runs whenever a run of another sync has ended." }),
  keep: z.literal("values").optional().meta({
    description:
      "values: the records that were accepted are kept in the planner's schema of the warehouse, so that a plan shows old and new values, and a run can be undone.",
  }),
  retry: z
    .union([z.literal("until_changed"), z.strictObject({ times: z.int().min(1).max(1000) })])
    .optional()
    .meta({
      description:
        "How often a rejected or invalid row is tried again. If not given: after a minute, then two, four, … up to a day, for ever. { times: 5 }: given up after five rejections. until_changed: after the first. Whatever it says, a row is tried at once when its values or the mapping change.",
    }),
  skip_unchanged: z.boolean().optional().meta({
    description:
      "Ends a run at once when the tables behind the model have not changed since the last clean run, where the warehouse can tell (Snowflake). A full comparison runs once a day all the same.",
  }),
  gate: gate.prefault({}).meta({ description: "What holds or stops a run." }),
});

export type SyncDocument = z.infer<typeof syncSchema>;

/** What the schema alone cannot say of a sync. Takes the document as written, however wrong. */
export function syncRules(value: unknown): Problem[] {
  return [
    ...scheduleRules(value),
    ...jitterRules(value),
    ...modeRules(value),
    ...nestingRules(value),
    ...keepRules(value),
  ];
}

/** Which fields change is known of records whose old values are kept. */
function keepRules(value: unknown): Problem[] {
  const gated = recordAt(value, ["gate", "fields"]);
  if (Object.keys(gated).length === 0 || valueAt(value, ["keep"]) === "values") return [];
  const message = "which fields change is not known unless the sync keeps values";
  return [problem("missing", ["keep"], message, { expected: "values" })];
}

function scheduleRules(value: unknown): Problem[] {
  if (valueAt(value, ["schedule"]) === undefined) return [];
  const written = recordAt(value, ["schedule"]);
  const expected = "either every, or cron with an optional timezone";
  if (written["every"] !== undefined && written["cron"] !== undefined) {
    return [problem("conflict", ["schedule", "cron"], "the schedule says both every and cron", { expected })];
  }
  if (written["every"] !== undefined && written["timezone"] !== undefined) {
    return [problem("conflict", ["schedule", "timezone"], "a time zone has no meaning with every", { expected })];
  }
  // Any other key is an unknown one, or a map is not what was written: both are reported as such.
  const onlyTimezone = Object.keys(written).every((key) => key === "timezone" || key === "jitter");
  if (!onlyTimezone || typeof valueAt(value, ["schedule"]) !== "object") return [];
  return [problem("missing", ["schedule"], "the schedule does not say when", { expected })];
}

function jitterRules(value: unknown): Problem[] {
  const [every, jitter] = ["every", "jitter"].map((key) => duration.safeParse(valueAt(value, ["schedule", key])).data);
  if (every === undefined || jitter === undefined || durationMs(jitter) < durationMs(every)) return [];
  const message = "the jitter is as long as the time between two runs";
  return [problem("conflict", ["schedule", "jitter"], message, { found: jitter, expected: `less than ${every}` })];
}

function modeRules(value: unknown): Problem[] {
  const mode = valueAt(value, ["mode"]);
  const isMatchless = Object.keys(recordAt(value, ["match"])).length === 0;
  const isFieldless = Object.keys(recordAt(value, ["fields"])).length === 0;
  const expected = "destination field: model column";
  const problems: Problem[] = [];
  switch (mode) {
    case "upsert":
    case "update":
    case "mirror":
      if (isMatchless)
        problems.push(problem("missing", ["match"], `mode ${mode} needs match to find records`, { expected }));
      break;
    case "insert":
    case "append":
      if (isMatchless && isFieldless)
        problems.push(problem("missing", ["fields"], "the sync maps no field", { expected }));
      break;
    default:
      return [];
  }
  if (mode !== "mirror" && valueAt(value, ["removed"]) !== undefined) {
    const message = `mode ${mode} removes nothing, so removed has no meaning`;
    problems.push(problem("conflict", ["removed"], message, { found: `mode ${mode}`, expected: "mode mirror" }));
  }
  return problems;
}

/** A field cannot hold a value and other fields at once. */
function nestingRules(value: unknown): Problem[] {
  const targets = new Set(Object.keys(recordAt(value, ["fields"])));
  const split = new Map<string, string>();
  for (const target of targets) {
    for (let dot = target.indexOf("."); dot !== -1; dot = target.indexOf(".", dot + 1)) {
      const outer = target.slice(0, dot);
      if (targets.has(outer)) split.set(outer, target);
    }
  }
  return [...split].map(([outer, inner]) => {
    const message = `the field cannot be written both whole and in part, as ${JSON.stringify(inner)}`;
    return problem("conflict", ["fields", outer], message);
  });
}
