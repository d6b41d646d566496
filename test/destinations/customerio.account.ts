/** A Customer.io workspace for its tests, and what they ask of it again and again. */
import customerio from "../../destinations/customerio/index.ts";
import createSandbox from "../../destinations/customerio/sandbox.ts";
import type { Batch, Change, Connection, DestinationRecord, Outcome } from "../../src/destination.ts";
import fixture from "./customerio.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

export const [people] = fixture.objects;
export const appKey = "suite-app-4d7a90";
const [site] = (fixture.seed as { trackKeys: { site_id: string; api_key: string }[] }).trackKeys;
export const seed = {
  trackKeys: [site],
  appKeys: [appKey],
  objectTypes: [
    { id: 1, name: "Companies", slug: "companies" },
    { id: 2, name: "Courses", slug: "courses" },
    { id: 3, name: "Old things", slug: "old", enabled: false },
  ],
  segments: [{ name: "Churn risk" }, { name: "Everyone", type: "dynamic" }, { name: "Twin" }, { name: "Twin" }],
  people: [
    { id: "1", email: "ann@example.com" },
    { id: "2", email: "Bob@Example.com" },
    { email: "no-id@example.com" },
  ],
};

/** A sandbox workspace with all of the above, and both keys. */
export async function account(more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  if (!people) throw new Error("the fixture has no people");
  const connection = { ...fixture.connection, app_api_key: appKey };
  const given = { ...fixture, connection, seed: { ...seed, ...more } };
  return openPlace({ adapter: customerio, createSandbox, fixture: given, object: people });
}

export function change(
  seq: number,
  match: DestinationRecord,
  record: DestinationRecord = {},
  more: Partial<Change> = {},
): Change {
  return { seq, match, record, destinationId: undefined, renamed: false, ...more };
}

/** People by ID, unless it says otherwise. */
export function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  const base = { object: "people", settings: {}, operation: "upsert", fields, match: ["id"], id: "run-1" } as const;
  return { ...base, changes, ...more };
}

export type Attributes = Readonly<Record<string, unknown>>;
export const holding = (place: Place, collection: string): Attributes[] =>
  Object.values(place.contents()[collection] ?? {}) as Attributes[];
export const personWith = (place: Place, id: string): Attributes | undefined =>
  holding(place, "people").find((person) => person["id"] === id);
export const reasonOf = (outcomes: readonly Outcome[], seq = 1): unknown => {
  const found = outcomes.find((one) => one.seq === seq);
  return found?.kind === "rejected" ? { code: found.code, field: found.field } : found?.kind;
};
export const sent = async (place: Place, path = "/api/v2/batch"): Promise<readonly unknown[]> =>
  (await place.asked()).filter((one) => one.path === path).map(({ requestBody }) => requestBody);

export const config = customerio.connection.parse({ ...fixture.connection, app_api_key: appKey }) as never;

/** A connection to a Customer.io that answers every write alike, in its own or another's words. */
export function answeredWith(text: string, status = 200): Connection {
  const region = { region: "us", environment_id: 7 };
  return customerio.connect(
    config,
    contextOf(async (url) =>
      String(url).endsWith("/region") ? Response.json(region) : new Response(text, { status }),
    ),
  );
}
