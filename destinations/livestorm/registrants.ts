/** Registers people to a session, one at a time: Livestorm's call for several answers later, and must be waited for. */
import { type Batch, type Change, DestinationError, type Operation, type Outcome } from "../../src/destination.ts";
import { type Answer, isSuccess, type JsonApi, notingWhatApplied } from "../../src/json-api.ts";
import { hasAddress, keptOf, peopleIn, type Person, personIn } from "./answers.ts";
import { type Reason, reasonOf } from "./errors.ts";
import { isAddress, type KnownFields } from "./fields.ts";
import { isNothing, newPerson, personBody, type Wanted, wantedOf } from "./requests.ts";

/** What writing registrants needs. */
export interface RegistrantsContext {
  readonly api: JsonApi;
  /** The session's ID. */
  readonly session: string;
  readonly fields: KnownFields;
  readonly signal: AbortSignal | undefined;
}

const operations: readonly Operation[] = ["upsert", "update", "insert", "delete"];

/** Writes a batch by its operation. */
export async function writeRegistrants(batch: Batch, context: RegistrantsContext): Promise<readonly Outcome[]> {
  const { operation, match, changes } = batch;
  if (!operations.includes(operation) || match.length !== 1 || match[0] !== "email")
    throw new DestinationError("refused", `Livestorm's registrants know no ${operation} by ${match.join(" and ")}.`, {
      code: "operation_unsupported",
      applied: "no",
    });
  const writing: Writing = { ...context, api: notingWhatApplied(context.api), operation };
  const outcomes: Outcome[] = [];
  for (const change of changes) outcomes.push(await writeOne(change, writing));
  return outcomes;
}

interface Writing extends RegistrantsContext {
  readonly operation: Operation;
}

/** A change with the address of its registrant and what is to be written. */
interface Sought {
  readonly change: Change;
  readonly email: string;
  readonly wanted: Wanted;
}

function writeOne(change: Change, writing: Writing): Promise<Outcome> {
  const given = change.match["email"];
  // Found by its exact spelling, and Livestorm is not known to keep capitals.
  const email = typeof given === "string" ? given.trim().toLowerCase() : "";
  if (!isAddress(email)) {
    const message = "A registrant is found by an e-mail address, and this is none.";
    return Promise.resolve(rejected(change, { code: "not_an_email", message, field: "email" }));
  }
  // What found the person is not written again.
  const record = Object.fromEntries(Object.entries(change.record).filter(([field]) => field !== "email"));
  const parts = wantedOf(record, writing.fields);
  if ("misfit" in parts) return Promise.resolve(rejected(change, parts.misfit));
  const sought: Sought = { change, email, wanted: parts.wanted };
  switch (writing.operation) {
    case "insert":
      return register(sought, writing);
    case "delete":
      return unregister(sought, writing);
    default:
      return change.destinationId === undefined
        ? byOperation(sought, writing)
        : changeKnown(sought, change.destinationId, writing);
  }
}

/** Who was registered before is changed by Livestorm's id, in one call, also to another e-mail address. */
async function changeKnown(sought: Sought, id: string, writing: Writing): Promise<Outcome> {
  const { change, email, wanted } = sought;
  const sent = change.renamed ? { ...wanted, form: { email, ...wanted.form } } : wanted;
  if (isNothing(sent)) return accepted(change, id);
  const answer = await patch(id, sent, writing);
  return answer.status === 404 ? byOperation(sought, writing) : writtenOutcome(answer, sought, sent, id);
}

function byOperation(sought: Sought, writing: Writing): Promise<Outcome> {
  return writing.operation === "update" ? update(sought, writing) : register(sought, writing);
}

/** Registers the person; if Livestorm says that they are registered, an upsert changes them. */
async function register(sought: Sought, writing: Writing): Promise<Outcome> {
  const { change, email, wanted } = sought;
  const sent = newPerson(wanted, email);
  const answer = await writing.api.call("POST", peoplePath(writing), personBody(sent), writing.signal);
  if (answer.status !== 409 || writing.operation === "insert") return writtenOutcome(answer, sought, sent, undefined);
  const found = await find(email, writing);
  // Livestorm says that they are registered, and shows no such registrant: a team member, for instance.
  return found.kind === "none" ? rejected(change, reasonOf(answer)) : bring(found, sought, writing);
}

async function update(sought: Sought, writing: Writing): Promise<Outcome> {
  const found = await find(sought.email, writing);
  if (found.kind !== "none") return bring(found, sought, writing);
  const message = "Nobody with this e-mail address is registered to the session.";
  return rejected(sought.change, { code: "not_found", message, field: "email" });
}

type Found =
  | { readonly kind: "one"; readonly person: Person }
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly reason: Reason }
  | { readonly kind: "untold" };

async function find(email: string, writing: Writing): Promise<Found> {
  const query = new URLSearchParams({ "filter[email]": email, "filter[role]": "participant" });
  const answer = await writing.api.call("GET", `${peoplePath(writing)}?${query.toString()}`, undefined, writing.signal);
  if (!isSuccess(answer)) return { kind: "refused", reason: reasonOf(answer) };
  const people = peopleIn(answer.body);
  if (!people) return { kind: "untold" };
  const [person, ...others] = people.filter((one) => hasAddress(one, email));
  if (!person) return { kind: "none" };
  if (others.length === 0) return { kind: "one", person };
  const message = "Several registrants of the session have this e-mail address.";
  return { kind: "refused", reason: { code: "ambiguous_match", message, field: "email" } };
}

/** Brings the registrant that was found to what is wanted. */
async function bring(
  found: Exclude<Found, { readonly kind: "none" }>,
  sought: Sought,
  writing: Writing,
): Promise<Outcome> {
  const { change, wanted } = sought;
  if (found.kind === "refused") return rejected(change, found.reason);
  if (found.kind === "untold") return inDoubt(change, "who is registered");
  const { id } = found.person;
  if (isNothing(wanted)) return accepted(change, id);
  return writtenOutcome(await patch(id, wanted, writing), sought, wanted, id);
}

async function unregister({ change, email }: Sought, writing: Writing): Promise<Outcome> {
  let id = change.destinationId;
  if (id === undefined) {
    const found = await find(email, writing);
    if (found.kind === "none") return accepted(change);
    if (found.kind === "untold") return inDoubt(change, "who is registered");
    if (found.kind === "refused") return rejected(change, found.reason);
    id = found.person.id;
  }
  const answer = await writing.api.call("DELETE", personPath(id, writing), undefined, writing.signal);
  if (answer.status === 204 || answer.status === 404) return accepted(change, id);
  return isSuccess(answer) ? inDoubt(change, "that the person is gone") : rejected(change, reasonOf(answer));
}

/** What the answer to a write says: it must be about the person, with the address, and show what was sent. */
function writtenOutcome(answer: Answer, { change, email }: Sought, sent: Wanted, id: string | undefined): Outcome {
  if (!isSuccess(answer)) return rejected(change, reasonOf(answer));
  const person = personIn(answer.body);
  if (!person || (id !== undefined && person.id !== id)) return inDoubt(change, "the person");
  if (!hasAddress(person, email)) return change.renamed ? unkept(change, "email") : inDoubt(change, "the person");
  const kept = keptOf(person, sent);
  if (typeof kept === "object") return unkept(change, kept.unkept);
  return kept === "untold" ? inDoubt(change, "what was sent") : accepted(change, person.id);
}

function patch(id: string, wanted: Wanted, writing: Writing): Promise<Answer> {
  return writing.api.call("PATCH", personPath(id, writing), personBody(wanted), writing.signal);
}

function peoplePath({ session }: Writing): string {
  return `/sessions/${encodeURIComponent(session)}/people`;
}

function personPath(id: string, writing: Writing): string {
  return `${peoplePath(writing)}/${encodeURIComponent(id)}`;
}

function accepted({ seq }: Change, destinationId?: string): Outcome {
  return { seq, kind: "accepted", ...(destinationId === undefined ? {} : { destinationId }) };
}

function rejected({ seq }: Change, { code, message, field }: Reason): Outcome {
  return { seq, kind: "rejected", code, message, field };
}

function inDoubt({ seq }: Change, what: string): Outcome {
  return { seq, kind: "in_doubt", message: `Livestorm's answer does not show ${what}.` };
}

function unkept({ seq }: Change, field: string): Outcome {
  const message =
    `Livestorm answered with success, but did not keep "${field}". ` +
    "Is it on the registration form of the session's event? The other fields were written.";
  return { seq, kind: "rejected", code: "not_kept", message, field };
}
