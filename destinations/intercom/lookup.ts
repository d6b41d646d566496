/** Finds the contact that a row means. */
import { type Contact, contactIn, foundIn, isKnownBy } from "./answers.ts";
import { type Answer, isSuccess, type JsonApi } from "../../src/json-api.ts";
import { type Reason, reasonOf } from "./errors.ts";

/** What is known of the contact. */
export interface Lookup {
  /** `external_id` or `email`. */
  readonly field: string;
  readonly value: string;
  /** Intercom's id of the contact that the row was sent to before. */
  readonly destinationId: string | undefined;
}

/** There is no such contact, or it is archived. */
export interface NotFound {
  readonly kind: "none";
}

/** What a search for one contact gives. */
export type Found =
  | { readonly kind: "one"; readonly contact: Contact }
  | NotFound
  /** It was merged into another contact, which is not meant. */
  | { readonly kind: "merged"; readonly reason: Reason }
  | { readonly kind: "refused"; readonly reason: Reason }
  /** The answer does not say. */
  | { readonly kind: "untold" };

interface Asking {
  readonly api: JsonApi;
  readonly signal: AbortSignal | undefined;
}

/** The one contact with the value; several are `refused` as ambiguous. */
export function find(lookup: Lookup, asking: Asking): Promise<Found> {
  return lookup.field === "external_id" ? findByExternalId(lookup, asking) : findByEmail(lookup, asking);
}

/** The same after Intercom named a contact in a conflict: a search may not see that one yet. */
export async function findInConflict(lookup: Lookup, id: string | undefined, asking: Asking): Promise<Found> {
  if (lookup.field === "external_id") return findByExternalId(lookup, asking);
  return id === undefined ? { kind: "none" } : foundOne(await getContact(id, asking), lookup);
}

async function findByExternalId(lookup: Lookup, { api, signal }: Asking): Promise<Found> {
  const path = `/contacts/find_by_external_id/${encodeURIComponent(lookup.value)}`;
  return foundOne(await api.call("GET", path, undefined, signal), lookup);
}

/** The contact that the row had last time, if it still has the address; for a search sees new contacts minutes late. */
async function findByEmail(lookup: Lookup, asking: Asking): Promise<Found> {
  const { field, value, destinationId } = lookup;
  if (destinationId !== undefined) {
    const present = foundOne(await getContact(destinationId, asking), lookup);
    if (present.kind === "one" || present.kind === "untold") return present;
  }
  const query = { field: "email", operator: "=", value };
  const body = { query, pagination: { per_page: 150 } };
  const answer = await asking.api.call("POST", "/contacts/search", body, asking.signal);
  if (!isSuccess(answer)) return { kind: "refused", reason: reasonOf(answer) };
  const listed = foundIn(answer.body);
  if (!listed) return { kind: "untold" };
  const known = listed.contacts.filter((contact) => isKnownBy(contact, field, value) && contact.archived !== true);
  return theOneMeant(known, listed.more);
}

/** A user before leads, who may share an address with anyone. Of several, none is guessed. */
function theOneMeant(contacts: readonly Contact[], more: boolean): Found {
  const users = contacts.filter(({ role }) => role === "user");
  const [contact, ...others] = users.length > 0 ? users : contacts;
  if (!contact && !more) return { kind: "none" };
  if (contact && others.length === 0 && !more) return { kind: "one", contact };
  const message =
    "Several contacts have this e-mail address. Match by external_id, or archive all but one in Intercom.";
  return { kind: "refused", reason: { code: "ambiguous_match", message, field: "email" } };
}

function foundOne(answer: Answer, { field, value }: Lookup): Found {
  if (answer.status === 404) return { kind: "none" };
  if (answer.status === 410) return { kind: "merged", reason: reasonOf(answer) };
  if (!isSuccess(answer)) return { kind: "refused", reason: reasonOf(answer) };
  const contact = contactIn(answer.body);
  if (!contact) return { kind: "untold" };
  return isKnownBy(contact, field, value) && contact.archived !== true ? { kind: "one", contact } : { kind: "none" };
}

function getContact(id: string, { api, signal }: Asking): Promise<Answer> {
  return api.call("GET", `/contacts/${encodeURIComponent(id)}`, undefined, signal);
}
