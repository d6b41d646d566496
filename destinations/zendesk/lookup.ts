/** Finds the users and organizations that rows mean. */
import { type Identity, parseEmails, parseRecords, type ZendeskRecord } from "./answers.ts";
import { identity, type ObjectName } from "./fields.ts";
import type { Asking } from "./jobs.ts";
import { idLists, type Sought } from "./requests.ts";

export interface Finding extends Asking {
  readonly object: ObjectName;
  /** The field that finds records. */
  readonly field: string;
}

/** The records that have the changes' match values. */
export type Found = ReadonlyMap<Sought, ZendeskRecord>;

/** Finds what has each change's match value now. */
export async function find(changes: readonly Sought[], finding: Finding): Promise<Found> {
  if (finding.field === "external_id") {
    const records = await byExternalIds(
      changes.map(({ value }) => value),
      finding,
    );
    return pair(changes, ({ value }) => records.get(identity(value)));
  }
  const sent = await byIds(
    changes.flatMap(({ change }) => (change.destinationId === undefined ? [] : [change.destinationId])),
    finding,
  );
  const present = pair(changes, ({ change, value }) => {
    const record = sent.get(change.destinationId ?? "");
    return record && identity(valueOf(record, finding.field)) === identity(value) ? record : undefined;
  });
  const found = new Map(present);
  for (const sought of changes) {
    const record = found.has(sought) ? undefined : await search(sought.value, finding);
    if (record) found.set(sought, record);
  }
  return found;
}

function pair(changes: readonly Sought[], recordFor: (sought: Sought) => ZendeskRecord | undefined): Found {
  return new Map(
    changes.flatMap((sought) => {
      const record = recordFor(sought);
      return record ? [[sought, record]] : [];
    }),
  );
}

/** What a record has in a match field. */
export function valueOf(record: ZendeskRecord, field: string): string | null | undefined {
  return field === "external_id" ? record.external_id : field === "email" ? record.email : record.name;
}

/** Records by Zendesk's ids. One that is gone is not among them. */
export async function byIds(
  ids: readonly string[],
  { api, object, signal }: Pick<Finding, "api" | "object" | "signal">,
): Promise<ReadonlyMap<string, ZendeskRecord>> {
  const found = new Map<string, ZendeskRecord>();
  for (const list of idLists(ids.filter((id) => /^\d+$/.test(id)))) {
    const body = await api.ask("GET", `/${object}/show_many?ids=${list}`, undefined, signal);
    for (const record of parseRecords(body)) found.set(record.id, record);
  }
  return found;
}

/** Records by external id, in lower case. */
export async function byExternalIds(
  values: readonly string[],
  finding: Pick<Finding, "api" | "object" | "signal">,
): Promise<ReadonlyMap<string, ZendeskRecord>> {
  const { api, object, signal } = finding;
  const found = new Map<string, ZendeskRecord>();
  const note = (body: unknown): void => {
    for (const record of parseRecords(body)) if (record.external_id) found.set(identity(record.external_id), record);
  };
  // In a list, a comma ends an id.
  const alone = values.filter((value) => value.includes(","));
  for (const list of idLists(values.filter((value) => !value.includes(","))))
    note(await api.ask("GET", `/${object}/show_many?external_ids=${list}`, undefined, signal));
  for (const value of alone)
    note(await api.ask("GET", `/${object}/search?external_id=${encodeURIComponent(value)}`, undefined, signal));
  return found;
}

/** By name or e-mail address: one question for each. */
async function search(value: string, finding: Finding): Promise<ZendeskRecord | undefined> {
  const { api, object, field, signal } = finding;
  const question =
    field === "email" ? `query=${encodeURIComponent(`email:"${value}"`)}` : `name=${encodeURIComponent(value)}`;
  const listed = parseRecords(await api.ask("GET", `/${object}/search?${question}`, undefined, signal));
  const known = listed.find((record) => identity(valueOf(record, field)) === identity(value));
  if (known || field !== "email") return known;
  // A search also finds those who have the address as a further one, and those who have a similar one.
  for (const record of listed) if (emailIn(await emailsOf(record.id, finding), value)) return record;
  return undefined;
}

/** All e-mail addresses of a user. */
export async function emailsOf(id: string, { api, signal }: Asking): Promise<readonly Identity[]> {
  return parseEmails(await api.ask("GET", `/users/${encodeURIComponent(id)}/identities`, undefined, signal));
}

/** The address among a user's that is this one. */
export function emailIn(emails: readonly Identity[], value: string): Identity | undefined {
  return emails.find((one) => identity(one.value) === identity(value));
}
