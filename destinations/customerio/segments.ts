/**
 * Puts people on a manual segment, and takes them off. Customer.io ignores whoever it does not know and says nothing of
 * it, so every person is looked up first.
 */
import { z } from "zod";
import { type Batch, type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import { isSuccess, parseAnswer, refusalOf } from "./answers.ts";
import type { AppApi, CustomerioApi, IdType, SegmentChange } from "./api.ts";
import { type Identifier, lookUp, type People, type Person } from "./people.ts";
import type { SegmentSettings } from "./settings.ts";

const segmentSchema = z.object({ id: z.int(), name: z.string(), type: z.string() });
const segmentsSchema = z.object({ segments: z.array(segmentSchema) });

/** The segment's number, or undefined when there is none. One that Customer.io fills by itself is refused. */
export async function findSegment(
  { segment }: SegmentSettings,
  app: AppApi,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const { segments } = parseAnswer(segmentsSchema, await app("GET", "v1/segments", undefined, signal));
  const named = segments.filter(({ name }) => name === segment);
  const [found, ...others] = named.length > 0 ? named : segments.filter(({ id }) => String(id) === segment);
  if (!found) return undefined;
  if (others.length > 0) {
    const ids = named.map(({ id }) => id).join(", ");
    throw refused("segment_ambiguous", `Customer.io has several segments "${segment}". Name one by its ID: ${ids}.`);
  }
  if (found.type === "manual") return found.id;
  const words = `Customer.io fills the segment "${found.name}" by itself (${found.type}), so nobody can be put on it. Name a manual segment.`;
  throw refused("segment_is_dynamic", words);
}

/** The segment's number; the segment is made if it is missing and may be. */
export async function ensureSegment(settings: SegmentSettings, app: AppApi, signal?: AbortSignal): Promise<number> {
  const found = await findSegment(settings, app, signal);
  if (found !== undefined) return found;
  if (!mayMake(settings)) throw segmentMissing(settings);
  const body = { segment: { name: settings.segment, description: "Filled by Sluice." } };
  const made = await app("POST", "v1/segments", body, signal);
  return parseAnswer(z.object({ segment: z.object({ id: z.int() }) }), made).segment.id;
}

/** Whether a missing segment may be made. A number is an ID, which nobody can choose. */
export function mayMake({ segment, create }: SegmentSettings): boolean {
  return create && !/^\d+$/.test(segment);
}

export function segmentMissing({ segment, create }: SegmentSettings): DestinationError {
  const why = create ? "A segment is made by a name, not by a number." : "The settings say create: false.";
  return refused("segment_not_found", `Customer.io has no segment "${segment}". ${why}`);
}

/** Without it nobody can be looked up, and who is unknown would be taken for a member. */
export function appKeyMissing(): DestinationError {
  const message = "segment_members needs app_api_key: without the App API no segment and no person can be looked up.";
  return refused("app_api_key_missing", message);
}

function refused(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}

export interface SegmentContext {
  readonly api: CustomerioApi;
  readonly app: AppApi;
  readonly segmentId: number;
  readonly signal: AbortSignal | undefined;
}

/** Adds the people of a batch, or takes them off. */
export async function writeMembers(batch: Batch, context: SegmentContext): Promise<readonly Outcome[]> {
  const field = idTypeOf(batch);
  return batch.operation === "archive" ? leave(batch.changes, field, context) : join(batch.changes, field, context);
}

async function join(changes: readonly Change[], field: IdType, context: SegmentContext): Promise<readonly Outcome[]> {
  const wanted = changes.flatMap((change) => [identifierOf(change, field) ?? [], replacedBy(change) ?? []].flat());
  const people = await lookUp(wanted, context.app, context.signal);
  const rejected = changes.flatMap((change) => refusal(change, field, people) ?? []);
  const joining = changes.filter(({ seq }) => !rejected.some((outcome) => outcome.seq === seq));
  const replaced = replacedIds(joining, field, people);
  if (!(await put("remove", { idType: "id", ids: replaced }, context))) return [...rejected, ...joining.map(unclear)];
  const ids = joining.flatMap((change) => identifierOf(change, field)?.value ?? []);
  const added = put("add", { idType: field, ids }, context);
  if (!(await (replaced.length > 0 ? afterApplied(added) : added))) return [...rejected, ...joining.map(unclear)];
  const accepted = joining.map((change): Outcome => {
    const destinationId = found(identifierOf(change, field), people)[0]?.cio_id;
    return { seq: change.seq, kind: "accepted", destinationId };
  });
  return [...rejected, ...accepted];
}

/** Who is gone is on no segment. Customer.io's own ID finds a member whose address is another by now. */
async function leave(changes: readonly Change[], field: IdType, context: SegmentContext): Promise<readonly Outcome[]> {
  const known = changes.map((change) => ({ change, identifier: formerOf(change) ?? identifierOf(change, field) }));
  const people = await lookUp(
    known.flatMap(({ identifier }) => identifier ?? []),
    context.app,
    context.signal,
  );
  const leaving = known.map(({ change, identifier }) => ({ change, members: found(identifier, people) }));
  const ids = leaving.flatMap(({ members }) => members.flatMap(({ id }) => id ?? []));
  const left = await put("remove", { idType: "id", ids }, context);
  return leaving.map(({ change, members }): Outcome => {
    if (members.some(({ id }) => id === undefined)) return withoutId(change, field);
    return left || members.length === 0 ? { seq: change.seq, kind: "accepted" } : unclear(change);
  });
}

function idTypeOf({ match: [field] }: Batch): IdType {
  return field === "email" || field === "cio_id" ? field : "id";
}

/** What finds the person of a row; undefined for a blank. */
function identifierOf({ match }: Change, field: IdType): Identifier | undefined {
  const value = match[field];
  return typeof value === "string" && value.trim() !== "" ? { field, value } : undefined;
}

/** The person that the row was last accepted with. */
function formerOf({ destinationId }: Change): Identifier | undefined {
  return destinationId === undefined ? undefined : { field: "cio_id", value: destinationId };
}

/** The person that a renamed row stood for before. */
function replacedBy(change: Change): Identifier | undefined {
  return change.renamed ? formerOf(change) : undefined;
}

function found(identifier: Identifier | undefined, people: People): readonly Person[] {
  return identifier === undefined ? [] : people(identifier);
}

/** Why a row's person cannot join, if that is so. */
function refusal(change: Change, field: IdType, people: People): Outcome | undefined {
  const { length } = found(identifierOf(change, field), people);
  if (length !== 1) return unknownPerson(change, field, length);
  return found(replacedBy(change), people).some(({ id }) => id === undefined) ? withoutId(change, field) : undefined;
}

/** IDs of those who leave because their row names another person now. Nobody leaves whom another row puts on. */
function replacedIds(joining: readonly Change[], field: IdType, people: People): readonly string[] {
  const staying = new Set(joining.flatMap((change) => found(identifierOf(change, field), people)[0]?.id ?? []));
  const replaced = joining.flatMap((change) => found(replacedBy(change), people).flatMap(({ id }) => id ?? []));
  return replaced.filter((id) => !staying.has(id));
}

/** Whether Customer.io took the request in; nobody to change needs none. */
async function put(
  verb: "add" | "remove",
  change: Omit<SegmentChange, "segmentId">,
  { api, segmentId, signal }: SegmentContext,
): Promise<boolean> {
  if (change.ids.length === 0) return true;
  const answer = await api.changeSegment(verb, { segmentId, ...change }, signal);
  if (answer.status >= 400) throw refusalOf(answer);
  return isSuccess(answer);
}

/** A request after one that was applied: when it fails, the batch as a whole may have been applied. */
async function afterApplied<Result>(request: Promise<Result>): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof DestinationError) || error.kind === "refused") throw error;
    const { kind, message, code, status, retryAfterMs, field, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "unknown", status, retryAfterMs, field, cause });
  }
}

function unknownPerson(change: Change, field: IdType, count: number): Outcome {
  const value = JSON.stringify(change.match[field] ?? null);
  const reason =
    count === 0
      ? { code: "person_not_found", message: `There is nobody with ${field} ${value}, whom Customer.io would ignore.` }
      : { code: "person_ambiguous", message: `There are ${count} people with ${field} ${value}.` };
  return { seq: change.seq, kind: "rejected", ...reason, field };
}

function withoutId({ seq }: Change, field: IdType): Outcome {
  const message = "Customer.io takes people off a segment by their ID, and this one has none.";
  return { seq, kind: "rejected", code: "person_has_no_id", message, field };
}

function unclear({ seq }: Change): Outcome {
  return { seq, kind: "in_doubt", message: "Customer.io answered without saying that it took the people in." };
}
