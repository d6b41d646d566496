/** A Zendesk account for tests: customers, one of the team, and organizations. */
import zendesk from "../../destinations/zendesk/index.ts";
import createSandbox from "../../destinations/zendesk/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import { openPlace, type Place } from "./place.ts";
import fixture, { type HeldZendesk, organizationFields, userFields } from "./zendesk.fixture.ts";

const [users] = fixture.objects;
const token = String(fixture.connection["api_token"]);

export const ada = "2";
export const bo = "1002";
export const agent = "1003";
export const acme = "2001";

export const seed = {
  credentials: [
    { secret: `admin@example.com/token:${token}` },
    { secret: "an-oauth-token" },
    { secret: "a-customers-token", role: "end-user" },
  ],
  user_fields: userFields,
  organization_fields: organizationFields,
  users: [
    // An id as small as a place in a request.
    { id: Number(ada), external_id: "Ada-1", emails: ["ada@example.com"], values: { name: "Ada" } },
    { id: Number(bo), emails: ["bo@example.com", "bo@home.example"], values: { name: "Bo" } },
    { id: Number(agent), external_id: "ag", emails: ["ag@example.com"], role: "agent", values: { name: "Ag" } },
  ],
  organizations: [{ id: Number(acme), name: "Acme", external_id: "acc-1", values: { notes: "Old" } }],
  groups: [77],
};

/** A sandbox account with all of the above. */
export async function account(more: Readonly<Record<string, unknown>> = {}, limits = false): Promise<Place> {
  if (!users) throw new Error("the fixture has no users");
  const sandbox = { seed: { ...seed, ...more }, limits };
  return openPlace({ adapter: zendesk, createSandbox, fixture, object: users, sandbox });
}

export function change(match: DestinationRecord, record: DestinationRecord = {}, more: Partial<Change> = {}): Change {
  return { seq: 1, match, record, destinationId: undefined, renamed: false, ...more };
}

export function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  const match = Object.keys(changes[0]?.match ?? {});
  return { object: "users", settings: {}, operation: "upsert", fields, match, id: "1", changes, ...more };
}

export async function write(place: Place, one: Change, more: Partial<Batch> = {}): Promise<Outcome | undefined> {
  return (await place.connection.write(batch([one], more)))[0];
}

/** An organization's change. */
export const organizations = { object: "organizations" } as const;

export const held = (place: Place, object: string, id: string): HeldZendesk | undefined =>
  (place.contents()[object] as Record<string, HeldZendesk>)[id];

/** What was asked since the fields were looked at. */
export async function asked(place: Place): Promise<string[]> {
  const all = (await place.asked()).filter(({ path }) => !path.endsWith("_fields"));
  return all.map(({ method, path }) => `${method} ${path.replace("/api/v2", "").replace(/82de\w+/, "…")}`);
}
