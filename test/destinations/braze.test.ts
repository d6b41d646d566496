import { describe, expect, test } from "vitest";
import braze from "../../destinations/braze/index.ts";
import createSandbox from "../../destinations/braze/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import fixture, { key } from "./braze.fixture.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import { openPlace, type Place } from "./place.ts";

async function workspace(more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  return openPlace({ adapter: braze, createSandbox, fixture, object, sandbox: { seed: { keys: [key], ...more } } });
}

function change(seq: number, record: DestinationRecord = {}): Change {
  return { seq, match: { external_id: `u-${seq}` }, record, destinationId: undefined, renamed: false };
}

function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const base = { object: "users", settings: {}, operation: "upsert", match: ["external_id"], id: "1" } as const;
  return { ...base, fields: Object.keys(changes[0]?.record ?? {}), changes, ...more };
}

const held = (place: Place): Readonly<Record<string, unknown>> => place.contents()["users"] ?? {};

async function write(place: Place, record: DestinationRecord): Promise<Outcome | undefined> {
  return (await place.connection.write(batch([change(1, record)])))[0];
}

describe("an answer", () => {
  const three = [change(1, { first_name: "A" }), change(2, { first_name: "B" }), change(3, { first_name: "C" })];

  test("that refuses one user by its place rejects that one, and the count accounts for the others", async () => {
    await using place = await workspace({ blocked: ["u-2"] });
    const outcomes = await place.connection.write(batch(three));
    expect(kinds(outcomes)).toEqual([
      [1, "accepted"],
      [2, "rejected"],
      [3, "accepted"],
    ]);
    expect(outcomes[1]).toMatchObject({ code: "record_refused", message: "The user is blocked" });
  });

  test.each<[why: string, body: object, expected: readonly string[]]>([
    ["counts too few", { message: "success", attributes_processed: 2 }, ["in_doubt", "in_doubt", "in_doubt"]],
    ["counts none", { message: "success" }, ["in_doubt", "in_doubt", "in_doubt"]],
    [
      "counts, but says no success",
      { message: "queued", attributes_processed: 3 },
      ["in_doubt", "in_doubt", "in_doubt"],
    ],
    [
      "has an error without a place",
      { message: "success", attributes_processed: 2, errors: [{ type: "bad" }] },
      ["in_doubt", "in_doubt", "in_doubt"],
    ],
    [
      "has an error at a place that was not sent",
      { message: "success", attributes_processed: 2, errors: [{ type: "bad", input_array: "attributes", index: 9 }] },
      ["in_doubt", "in_doubt", "in_doubt"],
    ],
    [
      "has one error twice",
      {
        message: "success",
        attributes_processed: 2,
        errors: [0, 0].map((index) => ({ type: "bad", input_array: "attributes", index })),
      },
      ["rejected", "accepted", "accepted"],
    ],
    [
      "has an error, and counts its user too",
      { message: "success", attributes_processed: 3, errors: [{ type: "bad", input_array: "attributes", index: 1 }] },
      ["in_doubt", "rejected", "in_doubt"],
    ],
  ])("that %s is believed no further than it says", async (_why, body, expected) => {
    await using place = await workspace();
    await place.strike({ kind: "status", status: 201, body }, { path: "/users/track" });
    const outcomes = await place.connection.write(batch(three));
    expect(kinds(outcomes).map(([, kind]) => kind)).toEqual(expected);
  });

  test("of a limit tells its wait in Braze's own header", async () => {
    await using place = await workspace();
    await place.strike({ kind: "failure", name: "rate_limit" });
    expect(await failureOf(place.connection.write(batch(three)))).toMatchObject({ kind: "busy", retryAfterMs: 2000 });
  });
});

describe("values", () => {
  test.each<[code: string, record: DestinationRecord]>([
    ["not_an_email", { email: "ada" }],
    ["not_e164", { phone: "089 1234" }],
    ["not_a_country", { country: "DEU" }],
    ["not_a_country", { country: "ZZ" }],
    ["not_a_language", { language: "German" }],
    ["not_a_time_zone", { time_zone: "Berlin" }],
    ["not_a_date", { dob: "21.12.1980" }],
    ["not_an_option", { gender: "female" }],
    ["not_text", { first_name: 7 }],
    ["too_long", { last_name: "x".repeat(256) }],
    ["too_long", { "attributes.notes": ["x".repeat(256)] }],
    ["unknown_field", { plan: "pro" }],
    ["reserved_name", { "attributes.email": "a@b.example" }],
    ["name_invalid", { "attributes.$plan": "pro" }],
    ["not_an_object", { attributes: "pro" }],
    ["cannot_clear", { attributes: null }],
  ])("that Braze would refuse, drop or cut are told before anything is sent: %s", async (code, record) => {
    await using place = await workspace();
    const [field] = Object.keys(record);
    expect(await write(place, record)).toMatchObject({ kind: "rejected", code, field });
    expect(await place.asked()).toEqual([]);
  });

  test("of custom attributes are named beneath attributes, one by one or all together", async () => {
    await using place = await workspace();
    await write(place, { "attributes.plan": "pro", attributes: { seats: 7, tags: ["a"] } });
    expect(held(place)["u-1"]).toMatchObject({ plan: "pro", seats: 7, tags: ["a"] });
    expect(await write(place, { "attributes.plan": "x", attributes: { plan: "y" } })).toMatchObject({
      code: "attribute_twice",
    });
    await write(place, { "attributes.plan": null });
    expect(held(place)["u-1"]).not.toHaveProperty("plan");
  });
});

describe("a user who is not there", () => {
  test("is not made by an update, which says so although Braze would not", async () => {
    await using place = await workspace({ users: [{ external_id: "u-1" }] });
    const changes = [change(1, { first_name: "A" }), change(2, { first_name: "B" })];
    const outcomes = await place.connection.write(batch(changes, { operation: "update" }));
    expect(kinds(outcomes)).toEqual([
      [1, "accepted"],
      [2, "rejected"],
    ]);
    expect(Object.keys(held(place))).toEqual(["u-1"]);
  });

  test("is not made by clearing", async () => {
    await using place = await workspace();
    await place.connection.write(batch([change(1, { first_name: null })], { operation: "clear" }));
    expect(held(place)).toEqual({});
  });
});

test("the instance decides the address, and is nothing but a name", async () => {
  const asked: string[] = [];
  const fetch = async (url: string | URL): Promise<Response> => {
    asked.push(String(url));
    return Response.json({ message: "Valid data must be provided" }, { status: 400 });
  };
  for (const instance of ["fra-01", "iad-05"]) {
    const config = braze.connection.parse({ api_key: "k", instance }) as Parameters<typeof braze.connect>[0];
    await braze.connect(config, contextOf(fetch)).check();
  }
  expect(asked).toEqual(["https://rest.fra-01.braze.eu/users/track", "https://rest.iad-05.braze.com/users/track"]);
  for (const instance of ["evil.com/", "x", "fra-01.evil", "a@b"])
    expect(braze.connection.safeParse({ api_key: "k", instance }).success).toBe(false);
});
