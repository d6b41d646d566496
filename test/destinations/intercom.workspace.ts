/** An Intercom workspace for tests: contacts of every sort, and a company. */
import intercom from "../../destinations/intercom/index.ts";
import createSandbox from "../../destinations/intercom/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import fixture, { attributes, type HeldIntercom } from "./intercom.fixture.ts";
import { openPlace, type Place } from "./place.ts";

const [contacts] = fixture.objects;
export const ada = "6762f0dd1bb69f9f20000001";
export const bo = "6762f0dd1bb69f9f20000002";
export const gone = "6762f0dd1bb69f9f20000003";
export const into = "6762f0dd1bb69f9f20000004";

export const seed = {
  tokens: [{ token: "dG9rOmludGVyY29tLXN1aXRl" }, { token: "reads-only", writes: false }],
  attributes,
  contacts: [
    { id: ada, external_id: "ada", email: "ada@example.com", standard: { name: "Ada" }, custom: { plan: "free" } },
    { id: bo, external_id: "bo", email: "bo@example.com", standard: { name: "Bo" }, archived: true },
    { id: gone, external_id: "gone", email: "gone@example.com", merged_into: into },
    { id: into, external_id: "into", email: "into@example.com", standard: { name: "Into" } },
  ],
  companies: [{ id: "6762f0dd1bb69f9f30000001", company_id: "acme", standard: { name: "Acme", plan: "Pro" } }],
};

/** A sandbox workspace with all of the above. */
export async function workspace(more: Readonly<Record<string, unknown>> = {}, now?: () => number): Promise<Place> {
  if (!contacts) throw new Error("the fixture has no contacts");
  const given = { ...fixture, seed: { ...seed, ...more } };
  const sandbox = { seed: given.seed, ...(now ? { now } : {}) };
  return openPlace({ adapter: intercom, createSandbox, fixture: given, object: contacts, sandbox });
}

export function change(match: DestinationRecord, record: DestinationRecord = {}, more: Partial<Change> = {}): Change {
  return { seq: 1, match, record, destinationId: undefined, renamed: false, ...more };
}

export function batch(one: Change, more: Partial<Batch> = {}): Batch {
  const [fields, match] = [Object.keys(one.record), Object.keys(one.match)];
  return { object: "contacts", settings: {}, operation: "upsert", fields, match, id: "1", changes: [one], ...more };
}

export async function write(place: Place, one: Change, more: Partial<Batch> = {}): Promise<Outcome | undefined> {
  return (await place.connection.write(batch(one, more)))[0];
}

/** A company's change. */
export const company = { object: "companies" } as const;

export const heldContacts = (place: Place): Record<string, HeldIntercom> =>
  place.contents()["contacts"] as Record<string, HeldIntercom>;
export const heldCompany = (place: Place, companyId: string): HeldIntercom | undefined =>
  Object.values(place.contents()["companies"] as Record<string, HeldIntercom>).find(
    (one) => one.company_id === companyId,
  );

/** What was asked since the attributes were looked at. */
export async function asked(place: Place): Promise<string[]> {
  const all = (await place.asked()).filter(({ path }) => path !== "/data_attributes");
  return all.map(({ method, path }) => `${method} ${path.replace(/6762f0dd\w+/, "…")}`);
}
