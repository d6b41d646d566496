/** The two ways to write records: such as may not be there yet, and such as are, by Zendesk's ids. */
import type { Outcome } from "../../src/destination.ts";
import { isOfTheTeam, isSuccess, rejected, settle, type ZendeskRecord } from "./answers.ts";
import { type Addressed, makePrimary } from "./emails.ts";
import { identity, words } from "./fields.ts";
import { type Asking, runJob, tellingBulkImport } from "./jobs.ts";
import { hashOf, type Keeping, keeping } from "./resume.ts";
import { byIds, emailIn, emailsOf, type Found, valueOf } from "./lookup.ts";
import { changeOf, creation, type Sought, wantedEmail, type Wanting } from "./requests.ts";

/** What writing the changes of a batch needs. */
export type Writing = Asking & Wanting & Keeping;

/** Records that need not be there yet: their ids are new, so they are read again to tell whose they are. */
export async function writeNew(
  changes: readonly Sought[],
  action: string,
  writing: Writing,
): Promise<readonly Outcome[]> {
  if (changes.length === 0) return [];
  const { object } = writing;
  const body = { [words[object].many]: changes.map((sought) => creation(sought, writing)) };
  const onStart = keeping(changes, "hash", ({ value }) => hashOf(value), writing);
  const asked = runJob({ method: "POST", path: `/${object}/${action}`, body, onStart }, writing);
  const job = await (object === "users" ? tellingBulkImport(asked) : asked);
  const ids = job.rows.flatMap((row) => (row.id !== undefined && isSuccess(row) ? [row.id] : []));
  return settle(changes, job, await ownersOf(ids, changes, writing));
}

async function ownersOf(
  ids: readonly string[],
  changes: readonly Sought[],
  writing: Writing,
): Promise<ReadonlyMap<string, Sought>> {
  const { field } = writing;
  const byValue = new Map(changes.map((sought) => [identity(sought.value), sought]));
  const owners = new Map<string, Sought>();
  for (const [id, record] of await byIds(ids, writing)) {
    const owner = byValue.get(identity(valueOf(record, field)));
    if (owner) owners.set(id, owner);
    else if (field === "email") {
      // Found by a further address of a user whose primary one is another.
      const emails = await emailsOf(id, writing);
      const further = changes.find(({ value }) => emailIn(emails, value));
      if (further) owners.set(id, further);
    }
  }
  return owners;
}

/** Changes records by Zendesk's ids, so that each row of the answer names its record. */
export async function writeById(found: Found, writing: Writing): Promise<readonly Outcome[]> {
  const { taking = [], clear = [] } = Object.groupBy(found, ([sought, record]) =>
    takesAddress(sought, record, writing) ? "taking" : "clear",
  );
  return [...taking.map(refusedAddress), ...(await changeRecords(clear, writing))];
}

/** Whoever has the primary address of an admin can become that admin: it is not a sync's to change. */
function takesAddress(sought: Sought, record: ZendeskRecord, writing: Writing): boolean {
  const email = wantedEmail(sought, writing);
  return isOfTheTeam(record) && email !== undefined && identity(email) !== identity(record.email);
}

function refusedAddress([{ change }, { id, role }]: readonly [Sought, ZendeskRecord]): Outcome {
  const message = `User ${id} is of the team (${role}), whose primary address a sync does not change.`;
  return rejected(change, { code: "team_member", message, field: "email" });
}

async function changeRecords(
  found: readonly (readonly [Sought, ZendeskRecord])[],
  writing: Writing,
): Promise<readonly Outcome[]> {
  const groups = Map.groupBy(found, ([, { id }]) => id);
  const owners = new Map([...groups].flatMap(([id, [one, ...others]]) => (one && !others[0] ? [[id, one[0]]] : [])));
  const twins = [...groups.values()].flatMap((group) => (group.length > 1 ? group.map(refusedTwin) : []));
  if (owners.size === 0) return twins;
  const { object } = writing;
  const changes = [...owners.values()];
  const body = { [words[object].many]: [...owners].map(([id, sought]) => changeOf(sought, id, writing)) };
  // A change that has a primary address to set is not done when its job is.
  const whole = new Map(
    [...owners].flatMap(([id, sought]) => (wantedEmail(sought, writing) === undefined ? [[sought, id]] : [])),
  );
  const onStart = keeping([...whole.keys()], "id", (sought) => whole.get(sought) ?? "", writing);
  const job = await runJob({ method: "PUT", path: `/${object}/update_many`, body, onStart }, writing);
  return [...twins, ...(await withPrimaryEmails(changes, settle(changes, job, owners), writing))];
}

/** Two e-mail addresses may be one user's, and of two rows the last one would be kept. */
function refusedTwin([{ change }, { id }]: readonly [Sought, ZendeskRecord]): Outcome {
  const message = `Another row is Zendesk's record ${id} too. None of them was sent.`;
  return rejected(change, { code: "duplicate_match", message });
}

async function withPrimaryEmails(
  changes: readonly Sought[],
  outcomes: readonly Outcome[],
  writing: Writing,
): Promise<readonly Outcome[]> {
  const addressed = changes.flatMap((sought): readonly Addressed[] => {
    const outcome = outcomes.find(({ seq }) => seq === sought.change.seq);
    const email = wantedEmail(sought, writing);
    return outcome?.kind === "accepted" && email !== undefined ? [{ sought, outcome, email }] : [];
  });
  const primary = new Map((await makePrimary(addressed, writing)).map((outcome) => [outcome.seq, outcome]));
  return outcomes.map((outcome) => primary.get(outcome.seq) ?? outcome);
}
