/** Writes contacts, one request each: that request is what identifies the answer. */
import { z } from "zod";
import { type Batch, type Change, DestinationError, type Operation, type Outcome } from "../../src/destination.ts";
import type { Answer, JsonApi } from "../../src/json-api.ts";
import { parseAnswer, refusalOf, wordsOf } from "./api.ts";
import { emailField, identifiers } from "./fields.ts";

export interface ContactsContext {
  readonly api: JsonApi;
  readonly signal: AbortSignal | undefined;
}

type Identifier = (typeof identifiers)[number];

interface Writing extends ContactsContext {
  readonly operation: Operation;
  /** What the contact is found by. */
  readonly by: Identifier;
}

export async function writeContacts(batch: Batch, context: ContactsContext): Promise<readonly Outcome[]> {
  const { operation, match, changes } = batch;
  const by = identifiers.find((name) => match.length === 1 && match[0] === name);
  if (by === undefined || operation === "append" || operation === "archive")
    throw new DestinationError("refused", `Loops's contacts know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const outcomes: Outcome[] = [];
  for (const change of changes) {
    try {
      outcomes.push(await writeOne(change, { ...context, operation, by }));
    } catch (error) {
      throw outcomes.length > 0 && error instanceof DestinationError ? afterOthers(error) : error;
    }
  }
  return outcomes;
}

/** The same failure, after contacts before this one were written. */
function afterOthers({ kind, message, code, status, retryAfterMs, cause }: DestinationError): DestinationError {
  const passes = kind === "refused" ? "unavailable" : kind;
  return new DestinationError(passes, message, { code, applied: "unknown", status, retryAfterMs, cause });
}

async function writeOne(change: Change, writing: Writing): Promise<Outcome> {
  const { operation, by } = writing;
  if (operation === "delete") return remove(change, writing);
  if (operation === "clear")
    return (await find(by, change.match[by], writing)) ? put(clearing(change), writing) : accepted(change);
  const empty = identifiers.find((name) => change.record[name] === null);
  if (empty !== undefined) return rejected(change, "cannot_clear", `A contact's ${empty} cannot be cleared.`, empty);
  const taken = await takenIdentifier(change, writing);
  if (taken !== undefined)
    return rejected(change, "identifier_taken", `Another contact has this ${taken} already.`, taken);
  if (operation === "insert") return create(change, writing);
  if (operation === "update" && !(await find(by, change.match[by], writing)))
    return rejected(change, "not_found", `Loops has no contact with this ${by}.`, by);
  return put(change, writing);
}

const contactsSchema = z.array(z.object({ email: z.string(), userId: z.string().nullable() }));
type Contact = z.output<typeof contactsSchema>[number];

async function find(by: Identifier, value: unknown, { api, signal }: ContactsContext): Promise<Contact | undefined> {
  const query = new URLSearchParams({ [by]: String(value) });
  const answer = await api.call("GET", `/contacts/find?${query.toString()}`, undefined, signal);
  // An address that is none is nobody's. That it is none is told when it is written.
  if (answer.status === 400) return undefined;
  if (answer.status !== 200) throw refusalOf(answer);
  return parseAnswer(contactsSchema, answer.body)[0];
}

/**
 * Given both identifiers, Loops takes the contact that has either, and gives it the other. So that no contact becomes another
 * row's, the identifier that does not match must be nobody's, or of a contact that has ours or none.
 */
async function takenIdentifier({ match, record }: Change, writing: Writing): Promise<Identifier | undefined> {
  const { by } = writing;
  const other = identifiers.find((name) => name !== by && record[name] !== undefined);
  if (other === undefined) return undefined;
  const contact = await find(other, record[other], writing);
  const theirs = contact?.[by] ?? null;
  return theirs === null || identity(by, theirs) === identity(by, match[by]) ? undefined : other;
}

function identity(by: Identifier, value: unknown): unknown {
  return by === emailField && typeof value === "string" ? value.trim().toLowerCase() : value;
}

async function put({ match, record, ...change }: Change, { api, signal }: Writing): Promise<Outcome> {
  return outcomeOf(change, await api.call("PUT", "/contacts/update", { ...record, ...match }, signal));
}

async function create({ match, record, ...change }: Change, { api, signal }: Writing): Promise<Outcome> {
  return outcomeOf(change, await api.call("POST", "/contacts/create", { ...record, ...match }, signal));
}

/** Who is gone already is as gone. */
async function remove(change: Change, { api, signal, by }: Writing): Promise<Outcome> {
  const answer = await api.call("POST", "/contacts/delete", { [by]: change.match[by] }, signal);
  return answer.status === 404 ? accepted(change) : outcomeOf(change, answer);
}

/** The nulls of a removed row, without those of its identifiers. */
function clearing(change: Change): Change {
  const kept = Object.entries(change.record).filter(([name]) => !identifiers.some((one) => one === name));
  return { ...change, record: Object.fromEntries(kept) };
}

const doneSchema = z.object({ success: z.literal(true) });

/** Only `success: true` is a yes; 400 and 409 are about this contact. */
function outcomeOf(change: Pick<Change, "seq">, answer: Answer): Outcome {
  const { status, body } = answer;
  if (status === 409) return rejected(change, "exists", wordsOf(body) ?? "There is such a contact already.");
  if (status === 400) return rejected(change, "record_refused", wordsOf(body) ?? "Loops refused the contact.");
  if (status >= 400) throw refusalOf(answer);
  if (doneSchema.safeParse(body).success) return accepted(change);
  return { seq: change.seq, kind: "in_doubt", message: `Loops answered ${status} and did not say that it was done.` };
}

/** Without Loops's id: nothing can be found by it, so a row's new identifier could not be brought to its contact. */
function accepted({ seq }: Pick<Change, "seq">): Outcome {
  return { seq, kind: "accepted" };
}

function rejected({ seq }: Pick<Change, "seq">, code: string, message: string, field?: string): Outcome {
  return { seq, kind: "rejected", code, message, ...(field === undefined ? {} : { field }) };
}
