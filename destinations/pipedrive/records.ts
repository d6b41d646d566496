/**
 * Writes persons, organizations and deals, one at a time. Pipedrive cannot make or change by a key, so a record is looked for first,
 * again on each attempt, unless the row was sent before: then it is changed by the id that it got.
 */
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Operation,
  type Outcome,
} from "../../src/destination.ts";
import { type Answer, isSuccess, type JsonApi, notingWhatApplied } from "../../src/json-api.ts";
import { type Reason, reasonOf } from "./errors.ts";
import type { Known, KnownFields } from "./known.ts";
import type { FoundBefore } from "./found-before.ts";
import { find, findAmongNewest, type Found, isGone, type Lookup, readRecord, shownIn } from "./lookup.ts";
import { type ObjectName, objects } from "./objects.ts";
import { accepted, inDoubt, rejected } from "./outcomes.ts";
import { alteration, changesLists, creation, isEmpty, named, unkeptField, type Wanted, wantedOf } from "./requests.ts";
import { wireOf } from "./values.ts";

/** What writing records needs. */
export interface RecordsContext {
  readonly api: JsonApi;
  readonly object: ObjectName;
  readonly fields: KnownFields;
  /** What may have been made although no answer said so: the search sees it late. Kept for a connection. */
  readonly lost: Set<string>;
  readonly found: FoundBefore;
  readonly signal: AbortSignal | undefined;
}

interface Writing extends RecordsContext {
  readonly operation: Operation;
}

/** A change with what finds its record and what is to be written. */
interface Sought extends Lookup {
  readonly change: Change;
  readonly wanted: Wanted;
  /** What was found when the record was read just before. */
  readonly before: Found | undefined;
}

const operations: readonly Operation[] = ["upsert", "update", "insert", "delete", "clear"];

export async function writeRecords(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const field = matchField(batch, context);
  const writing: Writing = { ...context, api: notingWhatApplied(context.api), operation: batch.operation };
  const outcomes: Outcome[] = [];
  for (const change of batch.changes)
    outcomes.push(await writeOne(change, context.found.take(batch, change), field, writing));
  return outcomes;
}

/** The field that finds the records. Throws `refused` where the operation cannot be done by it. */
export function matchField({ operation, match }: Batch, { object, fields }: RecordsContext): Known {
  const [name = "", ...others] = match;
  const field = fields.get(name);
  const cannotMake = operation === "insert" && name === "id";
  if (field?.matches === true && others.length === 0 && operations.includes(operation) && !cannotMake) return field;
  const message = `Pipedrive's ${object} know no ${operation} by ${match.join(" and ")}.`;
  throw new DestinationError("refused", message, { code: "operation_unsupported", applied: "no" });
}

async function writeOne(change: Change, before: Found | undefined, field: Known, writing: Writing): Promise<Outcome> {
  const meant = meantBy(change, field, writing.fields);
  if ("misfit" in meant) return rejected(change, meant.misfit);
  const asked = wantedOf(recordOf(change, writing), writing.fields);
  if ("misfit" in asked) return rejected(change, asked.misfit);
  const { value } = meant;
  const sought: Sought = { object: writing.object, field, value, change, wanted: asked.wanted, before };
  const id = idOf(change);
  switch (writing.operation) {
    case "insert":
      return insert(sought, writing);
    case "delete":
      return remove(sought, id, writing);
    default:
      return id === undefined ? byMatch(sought, writing) : byId(sought, id, writing);
  }
}

/** The value that finds the record, as Pipedrive has it, or why it can find none. */
export function meantBy(
  { match }: Change,
  { name, title }: Known,
  fields: KnownFields,
): { readonly value: string | number } | { readonly misfit: Reason } {
  const value = match[name] ?? "";
  if (typeof value === "string" && value.trim() === "")
    return { misfit: { code: "match_empty", field: name, message: `"${title}" finds a record, and is empty.` } };
  if (name === "id") {
    const isId = typeof value === "number" && Number.isSafeInteger(value) && value > 0;
    return isId ? { value } : { misfit: { code: "not_an_id", field: name, message: `"${title}" takes a number.` } };
  }
  const fitted = wireOf(name, typeof value === "string" ? value.trim() : value, fields);
  if ("misfit" in fitted) return fitted;
  const { wire } = fitted;
  if (typeof wire === "string" || typeof wire === "number") return { value: wire };
  return { misfit: { code: "not_text", field: name, message: `"${title}" is found by text or a number.` } };
}

/** What is written: not what finds the record, and when it is cleared, not what it cannot be without. */
function recordOf({ record, match }: Change, { operation, fields }: Writing): DestinationRecord {
  const isCleared = operation === "clear";
  const kept = (field: string): boolean => !(field in match) && !(isCleared && fields.get(field)?.lasting === true);
  return Object.fromEntries(Object.entries(record).filter(([field]) => kept(field)));
}

export function idOf({ destinationId }: Change): number | undefined {
  return destinationId !== undefined && /^[1-9]\d{0,14}$/.test(destinationId) ? Number(destinationId) : undefined;
}

/** The record that the row had last time, whatever has become of its match value since; if it is gone, by the match value. */
async function byId(sought: Sought, id: number, writing: Writing): Promise<Outcome> {
  const { change, field, value, wanted } = sought;
  if (!change.renamed || writing.operation === "clear" || field.name === "id")
    return (await alter(sought, id, wanted, writing)) ?? byMatch(sought, writing);
  const taken = await seek(sought, writing);
  if (taken.kind === "refused") return rejected(change, taken.reason);
  if (taken.kind === "one" && taken.id !== id) return rejected(change, takenBy(taken.id, sought));
  return (await alter(sought, id, named(wanted, field, value), writing)) ?? byMatch(sought, writing);
}

/** Nothing in Pipedrive keeps two records from having one value, so nothing but us would say so. */
function takenBy(id: number, { object, field }: Sought): Reason {
  const words = `${objects[object].one} ${id} has the row's new ${JSON.stringify(field.title)} already, so two would have it. Merge them in Pipedrive, or correct the model.`;
  return { code: "match_taken", message: `Pipedrive's ${words}`, field: field.name };
}

async function byMatch(sought: Sought, writing: Writing): Promise<Outcome> {
  const { change, field, wanted, before } = sought;
  const found = before ?? (await seek(sought, writing));
  if (found.kind === "refused") return rejected(change, found.reason);
  if (found.kind === "one") {
    const outcome = await alter(sought, found.id, wanted, writing);
    // Deleted since it was found, though the search still shows it.
    if (outcome) return outcome;
  }
  if (writing.operation === "clear") return accepted(change);
  if (writing.operation === "upsert" && field.name !== "id") return make(sought, writing);
  return rejected(change, notFound(sought));
}

function notFound({ object, field }: Sought): Reason {
  const message = `Pipedrive has no ${objects[object].one} with this ${JSON.stringify(field.title)}.`;
  return { code: "not_found", message, field: field.name };
}

/** What the search finds; after a lost answer also what it cannot see yet. */
export async function seek(lookup: Lookup, context: RecordsContext): Promise<Found> {
  const found = await find(lookup, context);
  return found.kind === "none" && context.lost.has(keyOf(lookup)) ? findAmongNewest(lookup, context) : found;
}

function keyOf({ object, field, value }: Lookup): string {
  return JSON.stringify([object, field.name, typeof value === "string" ? value.toLowerCase() : value]);
}

/** A record that is there is never changed; one that was made by an attempt whose answer was lost is the row's own. */
async function insert(sought: Sought, writing: Writing): Promise<Outcome> {
  const { change, field, object } = sought;
  const found = await seek(sought, writing);
  if (found.kind === "none") return make(sought, writing);
  if (found.kind === "refused") return rejected(change, found.reason);
  if (writing.lost.has(keyOf(sought))) return accepted(change, found.id);
  const message = `Pipedrive's ${objects[object].one} ${found.id} has this ${JSON.stringify(field.title)} already.`;
  return rejected(change, { code: "already_there", message, field: field.name });
}

async function make(sought: Sought, writing: Writing): Promise<Outcome> {
  const { object, field, value, wanted, change } = sought;
  const sent = creation(named(wanted, field, value));
  const key = keyOf(sought);
  const isNewlyLost = !writing.lost.has(key);
  writing.lost.add(key);
  try {
    const answer = await writing.api.call("POST", `/v2/${object}`, sent, writing.signal);
    const shown = isSuccess(answer) ? shownIn(answer.body) : undefined;
    if (isSuccess(answer) && !shown) return inDoubt(change, `the ${objects[object].one}`);
    writing.lost.delete(key);
    return shown ? writtenOutcome(sought, sent, shown, writing) : refused(change, answer);
  } catch (error) {
    if (isNewlyLost && error instanceof DestinationError && error.applied === "no") writing.lost.delete(key);
    throw error;
  }
}

/** Undefined: the record is not there any more. */
async function alter(sought: Sought, id: number, wanted: Wanted, writing: Writing): Promise<Outcome | undefined> {
  const { object, change } = sought;
  if (isEmpty(wanted)) return accepted(change, id);
  const present = changesLists(wanted) ? await readRecord(object, id, writing) : undefined;
  if (changesLists(wanted) && !present) return undefined;
  const sent = alteration(wanted, present);
  if (Object.keys(sent).length === 0) return accepted(change, id);
  const answer = await writing.api.call("PATCH", `/v2/${object}/${id}`, sent, writing.signal);
  // What was written into a deleted record, nobody sees. A refusal may also mean what the record was to refer to.
  if (isGone(answer) && (isSuccess(answer) || !(await readRecord(object, id, writing)))) return undefined;
  if (!isSuccess(answer)) return refused(change, answer);
  const shown = shownIn(answer.body);
  if (shown?.id !== id) return inDoubt(change, `the ${objects[object].one}`);
  return writtenOutcome(sought, sent, shown, writing);
}

/** A request that Pipedrive refused is about its one record. */
function refused(change: Change, answer: Answer): Outcome {
  return rejected(change, reasonOf(answer));
}

function writtenOutcome(
  { change }: Sought,
  sent: DestinationRecord,
  shown: NonNullable<ReturnType<typeof shownIn>>,
  { fields }: Writing,
): Outcome {
  const unkept = unkeptField(sent, shown, fields);
  if (!unkept) return accepted(change, shown.id);
  const message = `Pipedrive answered with success, but shows another value in "${unkept.title}". The other fields were written.`;
  return rejected(change, { code: "not_kept", message, field: unkept.name });
}

/** A record that is gone already needs no deleting. */
async function remove(sought: Sought, known: number | undefined, writing: Writing): Promise<Outcome> {
  const { object, change } = sought;
  const found: Found = known === undefined ? await find(sought, writing) : { kind: "one", id: known };
  if (found.kind === "none") return accepted(change);
  if (found.kind === "refused") return rejected(change, found.reason);
  const answer = await writing.api.call("DELETE", `/v2/${object}/${found.id}`, undefined, writing.signal);
  if (answer.status === 404 || answer.status === 410) return accepted(change);
  if (!isSuccess(answer)) return refused(change, answer);
  return shownIn(answer.body)?.id === found.id ? accepted(change, found.id) : inDoubt(change, "that it is gone");
}
