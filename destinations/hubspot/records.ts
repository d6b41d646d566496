/** Writes records: contacts, companies, deals, tickets, custom objects. */
import { z } from "zod";
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type FieldType,
  type Outcome,
} from "../../src/destination.ts";
import { afterApplied, idSchema, outcomesOf, parseAnswer, type Sent, traceId } from "./answers.ts";
import type { HubSpotApi } from "./api.ts";
import { toText } from "./fields.ts";

export interface RecordsContext {
  readonly api: HubSpotApi;
  /** The types of the object's properties. */
  readonly types: ReadonlyMap<string, FieldType>;
  readonly signal: AbortSignal | undefined;
}

/** Writes a batch by its operation. */
export async function writeRecords(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  switch (batch.operation) {
    case "upsert":
      return upsert(batch, context);
    case "update":
      return update(batch, context);
    case "insert":
      return create(batch, batch.changes, context);
    case "archive":
      return archive(batch, context);
    case "clear":
      return clear(batch, context);
    default:
      throw new DestinationError("refused", `HubSpot's ${batch.object} cannot be ${batch.operation}d.`, {
        code: "operation_unsupported",
        applied: "no",
      });
  }
}

async function upsert(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const renamed = batch.changes.filter((change) => change.renamed && change.destinationId !== undefined);
  const others = batch.changes.filter((change) => !renamed.includes(change));
  const renames = await rename(batch, renamed, context);
  const gone = renamed.filter(({ seq }) => renames.some((outcome) => outcome.seq === seq && isNotFound(outcome)));
  const kept = renames.filter(({ seq }) => !gone.some((change) => change.seq === seq));
  const upserted = upsertByMatch(batch, [...others, ...gone], context);
  return [...kept, ...(await (kept.length > 0 ? afterApplied(upserted) : upserted))];
}

/** The row's match value changed: its record keeps its history and gets the new value. */
async function rename(batch: Batch, changes: readonly Change[], context: RecordsContext): Promise<readonly Outcome[]> {
  const sent = changes.map((change): Sent => ({ change, id: change.destinationId ?? "", idProperty: undefined }));
  return send("update", batch, sent, context, ({ record, match }) => ({ ...record, ...match }));
}

function isNotFound(outcome: Outcome): boolean {
  return outcome.kind === "rejected" && /NOT_FOUND/.test(outcome.code);
}

/** E-mail does not support partial upserts: a record that leaves a field out is looked up first. */
async function upsertByMatch(
  batch: Batch,
  changes: readonly Change[],
  context: RecordsContext,
): Promise<readonly Outcome[]> {
  const [property] = batch.match;
  const partial =
    property === "email" && changes.some(({ record }) => batch.fields.some((field) => !(field in record)));
  if (!partial)
    return send(
      "upsert",
      batch,
      changes.map((change) => byMatch(change, batch)),
      context,
    );
  const ids = await lookUp(batch, changes, context);
  const present = changes.flatMap((change): Sent[] => {
    const id = ids.get(change.seq);
    return id === undefined ? [] : [{ change, id, idProperty: undefined }];
  });
  const missing = changes.filter(({ seq }) => !ids.has(seq));
  const updated = await send("update", batch, present, context);
  const created = create(batch, missing, context);
  return [...updated, ...(await (updated.length > 0 ? afterApplied(created) : created))];
}

async function update(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  return send(
    "update",
    batch,
    batch.changes.map((change) => byMatch(change, batch)),
    context,
  );
}

async function create(batch: Batch, changes: readonly Change[], context: RecordsContext): Promise<readonly Outcome[]> {
  if (changes.length === 0) return [];
  const sent = changes.map((change) => byMatch(change, batch));
  const inputs = changes.map((change) => ({
    objectWriteTraceId: traceId(change),
    properties: toProperties({ ...change.record, ...change.match }, context),
    associations: [],
  }));
  return outcomesOf(sent, await context.api.call("POST", path(batch, "create", context), { inputs }, context.signal));
}

/** A record that is gone already has nothing to clear. */
async function clear(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const sent = batch.changes.map((change): Sent =>
    change.destinationId === undefined
      ? byMatch(change, batch)
      : { change, id: change.destinationId, idProperty: undefined },
  );
  const outcomes = await send("update", batch, sent, context, ({ record }) => record);
  return outcomes.map((outcome) => (isNotFound(outcome) ? { seq: outcome.seq, kind: "accepted" } : outcome));
}

async function archive(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const unknown = batch.changes.filter(({ destinationId }) => destinationId === undefined);
  const found = await lookUp(batch, unknown, context);
  const ids = new Map(batch.changes.map(({ seq, destinationId }) => [seq, destinationId ?? found.get(seq)]));
  const inputs = [...new Set(ids.values())].filter((id) => id !== undefined).map((id) => ({ id }));
  const accepted = batch.changes.map(({ seq }): Outcome => ({ seq, kind: "accepted" }));
  if (inputs.length === 0) return accepted;
  const answer = await context.api.call("POST", path(batch, "archive", context), { inputs }, context.signal);
  if (answer.status === 204) return accepted;
  const sent = batch.changes.map((change): Sent => ({ change, id: ids.get(change.seq) ?? "", idProperty: undefined }));
  return outcomesOf(sent, answer);
}

async function send(
  verb: "upsert" | "update",
  batch: Batch,
  sent: readonly Sent[],
  context: RecordsContext,
  recordOf: (change: Change) => Change["record"] = withoutMatch,
): Promise<readonly Outcome[]> {
  if (sent.length === 0) return [];
  const inputs = sent.map(({ change, id, idProperty }) => ({
    id,
    ...(idProperty === undefined ? {} : { idProperty }),
    objectWriteTraceId: traceId(change),
    properties: toProperties(recordOf(change), context),
  }));
  return outcomesOf(sent, await context.api.call("POST", path(batch, verb, context), { inputs }, context.signal));
}

function byMatch(change: Change, { match }: Batch): Sent {
  const [property = ""] = match;
  return { change, id: matchText(change, property), idProperty: property };
}

/**
 * A record that was found by a match value keeps its own: it may have been found by a further e-mail address, which must
 * not take the place of its first. With nothing else to write the match stays, for HubSpot wants properties.
 */
function withoutMatch({ record, match }: Change): DestinationRecord {
  const rest = Object.entries(record).filter(([name]) => !(name in match));
  return rest.length === 0 ? match : Object.fromEntries(rest);
}

function toProperties(record: Change["record"], { types }: RecordsContext): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, toText(value, types.get(name))]));
}

const readSchema = z.object({
  results: z.array(z.object({ id: idSchema, properties: z.record(z.string(), z.string().nullable()).default({}) })),
});

/** The ids of the records that changes match, by seq. */
export async function lookUp(
  batch: Pick<Batch, "object" | "match">,
  changes: readonly Change[],
  context: Pick<RecordsContext, "api" | "signal">,
): Promise<ReadonlyMap<number, string>> {
  const found = await find(batch, changes, [], context);
  return new Map([...found].map(([seq, { id }]) => [seq, id]));
}

/** These properties of the records that a batch is to be written to, by seq; null for one that is not there. */
export async function readRecords(
  batch: Batch,
  properties: readonly string[],
  context: Pick<RecordsContext, "api" | "signal">,
): Promise<ReadonlyMap<number, DestinationRecord | null>> {
  // A renamed record has its old match value still, and one that is gone is made anew by the new one.
  const renamed = batch.changes.filter((change) => change.renamed && change.destinationId !== undefined);
  const byId = await findById(batch, renamed, properties, context);
  const others = batch.changes.filter(({ seq }) => !byId.has(seq));
  const byMatch = await find(batch, others, properties, context);
  return new Map(batch.changes.map(({ seq }) => [seq, (byId.get(seq) ?? byMatch.get(seq))?.properties ?? null]));
}

type Found = z.output<typeof readSchema>["results"][number];

/** The records that changes match, by seq. A contact is also found by its further e-mail addresses. */
async function find(
  { object, match }: Pick<Batch, "object" | "match">,
  changes: readonly Change[],
  properties: readonly string[],
  context: Pick<RecordsContext, "api" | "signal">,
): Promise<ReadonlyMap<number, Found>> {
  const [property = ""] = match;
  const sought = Map.groupBy(changes, (change) => matchText(change, property).trim().toLowerCase());
  const finding = property === "email" ? [property, "hs_additional_emails"] : [property];
  const asked = { idProperty: property, ids: [...sought.keys()], properties: [...finding, ...properties] };
  const found = new Map<number, Found>();
  for (const record of await readBatch(object, asked, context)) {
    const further = (record.properties["hs_additional_emails"] ?? "").split(";");
    for (const value of [record.properties[property] ?? "", ...further])
      for (const { seq } of sought.get(value.trim().toLowerCase()) ?? []) found.set(seq, record);
  }
  return found;
}

async function findById(
  { object }: Pick<Batch, "object">,
  changes: readonly Change[],
  properties: readonly string[],
  context: Pick<RecordsContext, "api" | "signal">,
): Promise<ReadonlyMap<number, Found>> {
  const ids = changes.map(({ destinationId = "" }) => destinationId);
  const records = await readBatch(object, { ids, properties }, context);
  const found = new Map(records.map((record) => [record.id, record]));
  return new Map(
    changes.flatMap(({ seq, destinationId = "" }) => {
      const record = found.get(destinationId);
      return record === undefined ? [] : [[seq, record] as const];
    }),
  );
}

async function readBatch(
  object: string,
  asked: { readonly idProperty?: string; readonly ids: readonly string[]; readonly properties: readonly string[] },
  { api, signal }: Pick<RecordsContext, "api" | "signal">,
): Promise<readonly Found[]> {
  const { ids, properties, ...by } = asked;
  if (ids.length === 0) return [];
  const inputs = ids.map((id) => ({ id }));
  const body = { ...by, properties: [...new Set(properties)], propertiesWithHistory: [], inputs };
  const answer = await api.read("POST", `/crm/objects/${api.version}/${object}/batch/read`, body, signal);
  return parseAnswer(readSchema, answer).results;
}

function path({ object }: Batch, verb: string, { api }: RecordsContext): string {
  return `/crm/objects/${api.version}/${object}/batch/${verb}`;
}

/** A match value as HubSpot is asked for it. */
export function matchText({ match }: Change, property: string): string {
  return toText(match[property] ?? null, undefined);
}
