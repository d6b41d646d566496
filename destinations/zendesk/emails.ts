/**
 * Users' primary e-mail addresses. When a user that is there is sent another address, Zendesk adds it as a further one
 * and keeps the primary one, without a word: it has to be made the primary one by itself.
 */
import type { Outcome } from "../../src/destination.ts";
import { parseEmails, rejected } from "./answers.ts";
import type { Reason } from "./errors.ts";
import { identity } from "./fields.ts";
import type { Asking } from "./jobs.ts";
import { byIds, emailIn, emailsOf } from "./lookup.ts";
import type { Sought } from "./requests.ts";

/** A change that was accepted, and the address that its user shall have first. */
export interface Addressed {
  readonly sought: Sought;
  readonly outcome: Outcome & { readonly kind: "accepted" };
  readonly email: string;
}

/** The outcomes once each user's primary address is the wanted one; where it is not to be had, a rejection. */
export async function makePrimary(all: readonly Addressed[], asking: Asking): Promise<readonly Outcome[]> {
  const ids = all.flatMap(({ outcome: { destinationId } }) => (destinationId === undefined ? [] : [destinationId]));
  const users = await byIds(ids, { ...asking, object: "users" });
  const outcomes: Outcome[] = [];
  for (const { sought, outcome, email } of all) {
    const user = users.get(outcome.destinationId ?? "");
    if (!user) outcomes.push({ seq: outcome.seq, kind: "in_doubt", message: unseen });
    else if (identity(user.email) === identity(email) || (await moved(user.id, email, asking))) outcomes.push(outcome);
    else outcomes.push(rejected(sought.change, unkept(email)));
  }
  return outcomes;
}

const unseen = "Zendesk took the record, but does not show the user, so its e-mail address is not known.";

async function moved(user: string, email: string, asking: Asking): Promise<boolean> {
  const wanted = emailIn(await emailsOf(user, asking), email);
  if (!wanted) return false;
  const path = `/users/${encodeURIComponent(user)}/identities/${encodeURIComponent(wanted.id)}/make_primary`;
  const emails = parseEmails(await asking.api.ask("PUT", path, undefined, asking.signal));
  return emailIn(emails, email)?.primary === true;
}

function unkept(email: string): Reason {
  const message = `Zendesk took the other fields, but the user has another primary address than ${email}.`;
  return { code: "not_kept", message, field: "email" };
}
