/** Writes records of any object through sObject Collections. */
import type { Batch, Change, DestinationRecord, FieldType, Outcome } from "../../src/destination.ts";
import { type Method } from "../../src/json-api.ts";
import { DestinationError } from "../../src/destination.ts";
import {
  outcomesOf,
  type Owners,
  refuseIfAllLocked,
  type Result,
  resultsSchema,
  shortId,
  strangers,
} from "./answers.ts";
import { type SalesforceApi } from "./api.ts";
import { afterApplied, parseAnswer } from "./errors.ts";
import { identity, type SObjectField, toValue } from "./fields.ts";
import { queriesFor } from "./soql.ts";

export interface RecordsContext {
  readonly api: SalesforceApi;
  readonly types: ReadonlyMap<string, FieldType>;
  /** The field that finds records. */
  readonly matchField: SObjectField;
  readonly signal: AbortSignal | undefined;
}

/** Writes a batch by its operation. */
export async function writeRecords(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  switch (batch.operation) {
    case "upsert":
      return context.matchField.name === "Id" ? update(batch, batch.changes, context) : upsert(batch, context);
    case "update":
      return update(batch, batch.changes, context);
    case "insert":
      return create("POST", "/composite/sobjects", batch, batch.changes, context);
    case "delete":
    case "clear":
      return remove(batch, context);
    default:
      throw new DestinationError("refused", `Salesforce's ${batch.object} cannot be ${batch.operation}d.`, {
        code: "operation_unsupported",
        applied: "no",
      });
  }
}

/** A row whose match value changed is written by id, so its record keeps its history; one that is gone is made anew. */
async function upsert(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const renamed = batch.changes.filter((change) => change.renamed && change.destinationId !== undefined);
  const ids = new Map(renamed.map(({ seq, destinationId }) => [seq, destinationId ?? ""]));
  const renames = await sendById(batch, renamed, ids, context, ({ record, match }) => ({ ...record, ...match }));
  const kept = renames.filter((outcome) => !isGone(outcome));
  const done = new Set(kept.map(({ seq }) => seq));
  const others = batch.changes.filter(({ seq }) => !done.has(seq));
  const path = `/composite/sobjects/${encodeURIComponent(batch.object)}/${encodeURIComponent(context.matchField.name)}`;
  const upserted = create("PATCH", path, batch, others, context);
  return [...kept, ...(await (kept.length > 0 ? afterApplied(upserted, true) : upserted))];
}

/** Records that need not exist yet: their ids are new, so they are read again to tell whose they are. */
async function create(
  method: Method,
  path: string,
  batch: Batch,
  changes: readonly Change[],
  context: RecordsContext,
): Promise<readonly Outcome[]> {
  if (changes.length === 0) return [];
  const records = changes.map(({ record, match }) => toRecord(batch, { ...record, ...match }, context));
  const results = await send(method, path, records, context);
  const known = new Map(
    changes.flatMap(({ seq, destinationId }) => (destinationId === undefined ? [] : [[shortId(destinationId), seq]])),
  );
  const unknown = strangers(changes, results, known);
  const read = await afterApplied(ownersOf(unknown, batch, changes, context), batch.operation !== "insert");
  const unread = new Set(unknown.map(shortId));
  // What was known of a record that stands elsewhere in the answer counts no more than what was read of it.
  const owners = new Map([...[...known].filter(([id]) => !unread.has(id)), ...read]);
  return outcomesOf(changes, results, owners);
}

async function ownersOf(
  ids: readonly string[],
  { object }: Batch,
  changes: readonly Change[],
  context: RecordsContext,
): Promise<Owners> {
  if (ids.length === 0) return new Map();
  const { matchField } = context;
  const seqs = new Map(changes.map((change) => [matchOf(change, matchField), change.seq]));
  const owners = new Map<string, number>();
  for (const [id, value] of await rows(object, "Id", undefined, ids, context)) {
    const seq = seqs.get(identity(value, matchField));
    if (seq !== undefined) owners.set(shortId(id), seq);
  }
  return owners;
}

/** Salesforce updates by id alone: the records are looked up first. */
async function update(batch: Batch, changes: readonly Change[], context: RecordsContext): Promise<readonly Outcome[]> {
  const found = await lookUp(batch, changes, context);
  const ids = new Map([...found].flatMap(([seq, all]) => (all.length === 1 ? [[seq, all[0] ?? ""]] : [])));
  const refused = changes.flatMap(({ seq, match }): Outcome[] => {
    if (ids.has(seq)) return [];
    const several = (found.get(seq)?.length ?? 0) > 1;
    const value = JSON.stringify(match[context.matchField.name]);
    const message = `${several ? "Several records have" : "No record has"} ${context.matchField.name} ${value}.`;
    const code = several ? "DUPLICATE_EXTERNAL_ID" : "NOT_FOUND";
    return [{ seq, kind: "rejected", code, message, field: context.matchField.name }];
  });
  const known = changes.filter(({ seq }) => ids.has(seq));
  return [...refused, ...(await sendById(batch, known, ids, context, ({ record }) => record))];
}

/** A record that is gone already has nothing to delete or clear. */
async function remove(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const unknown = batch.changes.filter(({ destinationId }) => destinationId === undefined);
  const found = await lookUp(batch, unknown, context);
  const ids = new Map(
    batch.changes.flatMap(({ seq, destinationId }) => {
      const id = destinationId ?? found.get(seq)?.[0];
      return id === undefined ? [] : [[seq, id] as const];
    }),
  );
  const present = batch.changes.filter(({ seq }) => ids.has(seq));
  const gone = batch.changes.filter(({ seq }) => !ids.has(seq)).map(({ seq }): Outcome => ({ seq, kind: "accepted" }));
  const outcomes =
    batch.operation === "clear"
      ? await sendById(batch, present, ids, context, ({ record }) => record)
      : await deleteById(present, ids, context);
  return [
    ...gone,
    ...outcomes.map((outcome): Outcome => (isGone(outcome) ? { seq: outcome.seq, kind: "accepted" } : outcome)),
  ];
}

async function deleteById(
  changes: readonly Change[],
  ids: ReadonlyMap<number, string>,
  context: RecordsContext,
): Promise<readonly Outcome[]> {
  if (changes.length === 0) return [];
  const list = changes.map(({ seq }) => encodeURIComponent(ids.get(seq) ?? "")).join(",");
  const results = await send("DELETE", `/composite/sobjects?ids=${list}&allOrNone=false`, undefined, context, changes);
  return outcomesOf(changes, results, toOwners(ids));
}

async function sendById(
  batch: Batch,
  changes: readonly Change[],
  ids: ReadonlyMap<number, string>,
  context: RecordsContext,
  recordOf: (change: Change) => DestinationRecord,
): Promise<readonly Outcome[]> {
  if (changes.length === 0) return [];
  const records = changes.map((change) => ({
    ...toRecord(batch, recordOf(change), context),
    id: ids.get(change.seq),
  }));
  return outcomesOf(changes, await send("PATCH", "/composite/sobjects", records, context), toOwners(ids));
}

function toOwners(ids: ReadonlyMap<number, string>): Owners {
  return new Map([...ids].map(([seq, id]) => [shortId(id), seq]));
}

async function send(
  method: Method,
  path: string,
  records: readonly unknown[] | undefined,
  { api, signal }: RecordsContext,
  changes: readonly unknown[] = records ?? [],
): Promise<readonly Result[]> {
  const body = records === undefined ? undefined : { allOrNone: false, records };
  const results = parseAnswer(resultsSchema, (await api.call(method, path, body, signal)).body);
  refuseIfAllLocked(results, changes.length);
  return results;
}

/** The id is given in the path or beside the record, never as a field. */
function toRecord(
  { object }: Batch,
  record: DestinationRecord,
  { types }: RecordsContext,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(record).filter(([name]) => name !== "Id");
  const values = entries.map(([name, value]) => [name, toValue(value, types.get(name))] as const);
  return { attributes: { type: object }, ...Object.fromEntries(values) };
}

/** The ids of the records that changes match, by seq. */
async function lookUp(
  { object }: Batch,
  changes: readonly Change[],
  context: RecordsContext,
): Promise<ReadonlyMap<number, readonly string[]>> {
  const { matchField } = context;
  const values = changes.map(({ match }) => match[matchField.name] ?? null);
  const found = Map.groupBy(await rows(object, matchField.name, matchField, values, context), ([, value]) =>
    identity(value, matchField),
  );
  return new Map(
    changes.map((change) => [change.seq, (found.get(matchOf(change, matchField)) ?? []).map(([id]) => id)]),
  );
}

/** The id and match value of the records whose `by` is one of the values. */
async function rows(
  object: string,
  by: string,
  field: SObjectField | undefined,
  values: readonly unknown[],
  { api, matchField, signal }: RecordsContext,
): Promise<readonly (readonly [id: string, value: unknown])[]> {
  const columns = matchField.name === "Id" ? "Id" : `Id, ${matchField.name}`;
  const found: (readonly [string, unknown])[] = [];
  for (const soql of queriesFor(`SELECT ${columns} FROM ${object} WHERE ${by} IN`, values, field))
    for (const row of await api.query(soql, signal)) found.push([String(row["Id"]), row[matchField.name]]);
  return found;
}

function matchOf({ match }: Change, field: SObjectField): string {
  return identity(match[field.name], field);
}

function isGone(outcome: Outcome): boolean {
  const gone = /^(NOT_FOUND|ENTITY_IS_DELETED|INVALID_CROSS_REFERENCE_KEY)$/;
  // A cross reference may also be another record's than this: then a field is named.
  return outcome.kind === "rejected" && gone.test(outcome.code) && (outcome.field ?? "Id") === "Id";
}
