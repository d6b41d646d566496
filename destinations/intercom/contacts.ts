/** Writes contacts, one at a time: Intercom's calls for several tell nothing of the single contact. */
import {
  type Batch,
  type Change,
  DestinationError,
  type DestinationRecord,
  type Operation,
  type Outcome,
} from "../../src/destination.ts";
import { type Answer, isSuccess, type JsonApi } from "../../src/json-api.ts";
import { contactIn, isKnownBy, keptOf, tellsGone } from "./answers.ts";
import { notingWrites } from "./api.ts";
import { type Reason, reasonOf } from "./errors.ts";
import { type KnownFields, misfitOf } from "./fields.ts";
import { find, findInConflict, type Found, type Lookup, type NotFound } from "./lookup.ts";
import { accepted, inDoubt, rejected, unkept } from "./outcomes.ts";
import { changeBody, conflictOf, isEmpty, matchText, type Wanted, wantedOf, withoutNulls } from "./requests.ts";

/** What writing contacts or companies needs. */
export interface RecordsContext {
  readonly api: JsonApi;
  readonly fields: KnownFields;
  readonly signal: AbortSignal | undefined;
}

const operations: readonly Operation[] = ["upsert", "update", "insert", "archive", "delete", "clear"];

/** Writes a batch by its operation. */
export async function writeContacts(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const { operation, changes, match } = batch;
  const [field = ""] = match;
  if (!operations.includes(operation) || match.length !== 1 || !["external_id", "email"].includes(field))
    throw new DestinationError("refused", `Intercom's contacts know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const writing = { ...context, api: notingWrites(context.api), operation };
  const outcomes: Outcome[] = [];
  for (const change of changes) outcomes.push(await writeOne(change, field, writing));
  return outcomes;
}

interface Writing extends RecordsContext {
  readonly operation: Operation;
}

/** A change with what finds its contact and what is to be written. */
interface Sought extends Lookup {
  readonly change: Change;
  readonly wanted: Wanted;
}

function writeOne(change: Change, field: string, writing: Writing): Promise<Outcome> {
  const asked = matchText(change.match, field);
  if ("misfit" in asked) return Promise.resolve(rejected(change, asked.misfit));
  const misfit = misfitOf(field, asked.text, writing.fields);
  if (misfit) return Promise.resolve(rejected(change, misfit));
  const { operation } = writing;
  const parts = wantedOf(recordOf(change, operation), writing.fields);
  if ("misfit" in parts) return Promise.resolve(rejected(change, parts.misfit));
  const { destinationId } = change;
  const sought: Sought = { change, field, value: asked.text, destinationId, wanted: parts.wanted };
  switch (operation) {
    case "archive":
    case "delete":
      return remove(sought, writing);
    case "insert":
      return create(sought, writing);
    case "clear":
      return changePresent(sought, writing);
    default:
      return change.renamed && destinationId !== undefined
        ? rename(sought, destinationId, writing)
        : byOperation(sought, writing);
  }
}

function byOperation(sought: Sought, writing: Writing): Promise<Outcome> {
  return writing.operation === "upsert" ? upsert(sought, writing) : changePresent(sought, writing);
}

/** What is written: not what found the contact, and when it is cleared, not what identifies it. */
function recordOf({ record, match }: Change, operation: Operation): DestinationRecord {
  const kept = (field: string): boolean =>
    !(field in match) && (operation !== "clear" || (field !== "external_id" && field !== "email"));
  return Object.fromEntries(Object.entries(record).filter(([field]) => kept(field)));
}

/**
 * Of a row that was never sent, an external id is tried as a new contact at once: it is unique, and Intercom says so if it
 * is there. An e-mail address is not unique, so it is always looked for first.
 */
async function upsert(sought: Sought, writing: Writing): Promise<Outcome> {
  if (sought.field === "external_id" && sought.destinationId === undefined) return create(sought, writing);
  const found = await find(sought, writing);
  if (found.kind === "none") return create(sought, writing);
  if (found.kind !== "one" || isEmpty(sought.wanted)) return settle(found, sought, writing);
  const { id } = found.contact;
  const answer = await put(id, sought.wanted, writing);
  // Gone or archived since it was found: made anew, or brought back.
  return isGone(answer) ? create(sought, writing) : writtenOutcome(answer, sought, sought.wanted, id);
}

/** An update, or the clearing of what is left of a removed row. */
async function changePresent(sought: Sought, writing: Writing): Promise<Outcome> {
  const found = await find(sought, writing);
  if (found.kind !== "none" && !(found.kind === "merged" && writing.operation === "clear"))
    return settle(found, sought, writing);
  if (writing.operation === "clear") return accepted(sought.change);
  const message = `No contact has this ${sought.field}.`;
  return rejected(sought.change, { code: "not_found", message, field: sought.field });
}

/** The row's match value changed: its contact keeps its history and gets the new value. */
async function rename(sought: Sought, id: string, writing: Writing): Promise<Outcome> {
  const { field, value, wanted } = sought;
  const named = { ...wanted, standard: { ...wanted.standard, [field]: value } };
  const answer = await put(id, named, writing);
  if (isGone(answer)) return byOperation({ ...sought, destinationId: undefined }, writing);
  return writtenOutcome(answer, sought, named, id);
}

/** Changes the contact that was found, or says why there is none to change. */
async function settle(found: Exclude<Found, NotFound>, sought: Sought, writing: Writing): Promise<Outcome> {
  if (found.kind === "untold") return inDoubt(sought.change, "which contact is meant");
  if (found.kind !== "one") return rejected(sought.change, found.reason);
  return bring(found.contact.id, sought, writing);
}

async function bring(id: string, sought: Sought, writing: Writing): Promise<Outcome> {
  if (isEmpty(sought.wanted)) return accepted(sought.change, id);
  return writtenOutcome(await put(id, sought.wanted, writing), sought, sought.wanted, id);
}

/** Makes the contact. If Intercom says that it is there, an upsert changes it. */
async function create(sought: Sought, writing: Writing): Promise<Outcome> {
  const { change, field, value, wanted } = sought;
  const given = withoutNulls(wanted);
  const body = { role: "user", [field]: value, ...changeBody(given) };
  const answer = await writing.api.call("POST", "/contacts", body, writing.signal);
  if (isSuccess(answer)) return writtenOutcome(answer, sought, given, undefined);
  const reason = reasonOf(answer);
  if (answer.status !== 409 || writing.operation === "insert") return rejected(change, reason);
  return settleConflict(sought, reason, writing);
}

/** Intercom has a contact with one of the identifiers that were sent. It is only changed if it is the row's own. */
async function settleConflict(sought: Sought, reason: Reason, writing: Writing): Promise<Outcome> {
  const conflict = conflictOf(reason.message);
  const found = await findInConflict(sought, conflict?.id, writing);
  if (found.kind !== "none") return settle(found, sought, writing);
  if (!conflict?.archived) return rejected(sought.change, reason);
  switch (await ownership(sought, conflict.id, writing)) {
    case "own":
      return bringBack(conflict.id, sought, writing);
    case "other": {
      const message = `${reason.message}. It is not this row's: delete it in Intercom, or give the row other values.`;
      return rejected(sought.change, { ...reason, message });
    }
    case "untold":
      return inDoubt(sought.change, "whose the archived contact is");
  }
}

/** What a contact may clash with another in. */
const identifying = ["external_id", "email", "phone"];

/**
 * Whose an archived contact is that clashes. Intercom shows nothing of it, so the match value is tried alone: if that
 * clashes with the same contact, it has the value. If it clashes with none, what was made by trying is deleted again.
 */
async function ownership(sought: Sought, id: string, { api, signal }: Writing): Promise<"own" | "other" | "untold"> {
  const { field, value, wanted, change } = sought;
  const others = identifying.filter((name) => name !== field && wanted.standard[name] !== undefined);
  if (change.destinationId === id || others.length === 0) return "own";
  const answer = await api.call("POST", "/contacts", { role: "user", [field]: value }, signal);
  if (!isSuccess(answer)) return isSameConflict(answer, id) ? "own" : "other";
  const made = contactIn(answer.body);
  if (!made || !isKnownBy(made, field, value)) return "untold";
  const undone = await api.call("DELETE", `/contacts/${encodeURIComponent(made.id)}`, undefined, signal);
  return isSuccess(undone) && tellsGone(undone.body, made.id) ? "other" : "untold";
}

function isSameConflict(answer: Answer, id: string): boolean {
  const conflict = conflictOf(reasonOf(answer).message);
  return answer.status === 409 && conflict?.id === id && conflict.archived;
}

async function bringBack(id: string, sought: Sought, writing: Writing): Promise<Outcome> {
  const path = `/contacts/${encodeURIComponent(id)}/unarchive`;
  const answer = await writing.api.call("POST", path, undefined, writing.signal);
  if (!isSuccess(answer)) return rejected(sought.change, reasonOf(answer));
  if (contactIn(answer.body)?.id !== id) return inDoubt(sought.change, "that the archived contact is back");
  return bring(id, sought, writing);
}

async function remove(sought: Sought, writing: Writing): Promise<Outcome> {
  const { change } = sought;
  const found: Found =
    change.destinationId === undefined
      ? await find(sought, writing)
      : { kind: "one", contact: { type: "contact", id: change.destinationId } };
  // One that was merged is no contact any more; what it was merged into belongs to another row.
  if (found.kind === "none" || found.kind === "merged") return accepted(change);
  if (found.kind !== "one") return settle(found, sought, writing);
  const { id } = found.contact;
  const path = `/contacts/${encodeURIComponent(id)}`;
  const answer =
    writing.operation === "archive"
      ? await writing.api.call("POST", `${path}/archive`, undefined, writing.signal)
      : await writing.api.call("DELETE", path, undefined, writing.signal);
  if (isGone(answer)) return accepted(change);
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  return tellsGone(answer.body, id) ? accepted(change, id) : inDoubt(change, "that the contact is gone");
}

function isGone({ status }: Answer): boolean {
  return status === 404 || status === 410;
}

function put(id: string, wanted: Wanted, { api, signal }: Writing): Promise<Answer> {
  return api.call("PUT", `/contacts/${encodeURIComponent(id)}`, changeBody(wanted), signal);
}

/** What the answer to a write says: it must be about the contact, have its match value, and show what was sent. */
function writtenOutcome(answer: Answer, sought: Sought, sent: Wanted, id: string | undefined): Outcome {
  const { change, field, value } = sought;
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  const contact = contactIn(answer.body);
  if (!contact || (id !== undefined && contact.id !== id)) return inDoubt(change, "the contact");
  if (!isKnownBy(contact, field, value))
    return field in sent.standard ? unkept(change, field) : inDoubt(change, "the contact");
  const kept = keptOf(contact, sent);
  if (typeof kept === "object") return unkept(change, kept.unkept);
  return kept === "untold" ? inDoubt(change, "what was sent") : accepted(change, contact.id);
}
