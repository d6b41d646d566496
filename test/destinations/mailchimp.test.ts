import { describe, expect, test } from "vitest";
import mailchimp from "../../destinations/mailchimp/index.ts";
import createSandbox from "../../destinations/mailchimp/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import fixture, { audience, key, members } from "./mailchimp.fixture.ts";
import { openPlace, type Place } from "./place.ts";

const [fields] = (fixture.seed as { audiences: readonly { merge_fields: readonly object[] }[] }).audiences.map(
  (one) => one.merge_fields,
);

async function account(more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  const seed = { keys: [key], audiences: [{ id: audience, merge_fields: fields, ...more }] };
  return openPlace({ adapter: mailchimp, createSandbox, fixture, object, sandbox: { seed } });
}

function change(seq: number, email: string, record: DestinationRecord = {}, more: Partial<Change> = {}): Change {
  return { seq, match: { email_address: email }, record, destinationId: undefined, renamed: false, ...more };
}

function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const settings = { audience, status_if_new: "subscribed" };
  const base = { object: "members", settings, operation: "upsert", match: ["email_address"], id: "1" } as const;
  return { ...base, fields: Object.keys(changes[0]?.record ?? {}), changes, ...more };
}

const statusOf = (place: Place, email: string): string | undefined => members(place.contents()).get(email)?.status;

async function write(place: Place, one: Change, more: Partial<Batch> = {}): Promise<Outcome | undefined> {
  return (await place.connection.write(batch([one], more)))[0];
}

const gone = { members: [{ email_address: "Left@example.com", status: "unsubscribed" }] };

describe("consent", () => {
  test("of who left is not touched by any mode: values are written, the status stays", async () => {
    await using place = await account(gone);
    for (const operation of ["upsert", "update"] as const) {
      const outcome = await write(place, change(1, "left@example.com", { "merge_fields.FNAME": operation }), {
        operation,
      });
      expect(outcome).toMatchObject({ kind: "accepted" });
      expect(members(place.contents()).get("Left@example.com")).toMatchObject({
        status: "unsubscribed",
        merge_fields: { FNAME: operation },
      });
    }
    const sent = (await place.asked()).filter(({ method }) => method === "PATCH");
    for (const { requestBody } of sent) expect(requestBody).not.toHaveProperty("status");
  });

  test("of new members is what the settings say, and they have to say it", async () => {
    await using place = await account();
    const settings = { audience, status_if_new: "pending" };
    await place.connection.write(batch([change(1, "new@example.com")], { settings }));
    expect(statusOf(place, "new@example.com")).toBe("pending");
    const error = await failureOf(place.connection.describe("members", { audience }));
    expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
  });

  test("that Mailchimp knows to be withdrawn for good is told in its own words", async () => {
    await using place = await account({ forgotten: ["never@example.com"] });
    expect(await write(place, change(1, "never@example.com"))).toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("permanently deleted"),
    });
  });

  test("of who was archived is left to a person", async () => {
    await using place = await account();
    const made = await write(place, change(1, "ann@example.com", { "merge_fields.FNAME": "Ann" }));
    expect(await write(place, change(1, "ann@example.com"), { operation: "archive" })).toMatchObject({
      kind: "accepted",
    });
    const destinationId = made?.kind === "accepted" ? made.destinationId : undefined;
    const back = change(1, "ann@example.com", { "merge_fields.FNAME": "Anne" }, { destinationId });
    expect(await write(place, back)).toMatchObject({ kind: "rejected", code: "member_archived" });
    expect(members(place.contents()).get("ann@example.com")).toMatchObject({
      status: "archived",
      merge_fields: { FNAME: "Anne" },
    });
  });
});

describe("a batch", () => {
  test("makes the new ones together, and changes those who are there by their ids", async () => {
    await using place = await account();
    const names = ["a@x.example", "b@x.example", "c@x.example"];
    const first = await place.connection.write(batch(names.map((email, seq) => change(seq, email))));
    const known = first.find(({ seq }) => seq === 0);
    const destinationId = known?.kind === "accepted" ? known.destinationId : undefined;
    const changes = [
      change(0, "a@x.example", { "merge_fields.FNAME": "A" }, { destinationId }),
      // There, but nobody told its id yet.
      change(1, "B@x.example", { "merge_fields.FNAME": "B" }),
      change(2, "new@x.example", { "merge_fields.FNAME": "N" }),
    ];
    const outcomes = await place.connection.write(batch(changes));
    expect(kinds(outcomes)).toEqual([0, 1, 2].map((seq) => [seq, "accepted"]));
    const asked = (await place.asked()).filter(({ path }) => !path.endsWith("merge-fields"));
    expect(asked.map(({ method }) => method)).toEqual(["POST", "PATCH", "POST", "PATCH"]);
    expect(members(place.contents()).get("b@x.example")).toMatchObject({ merge_fields: { FNAME: "B" } });
  });

  test("in which a member is gone makes it anew", async () => {
    await using place = await account();
    const outcome = await write(place, change(1, "a@x.example", {}, { destinationId: "0".repeat(32) }));
    expect(outcome).toMatchObject({ kind: "accepted" });
    expect(statusOf(place, "a@x.example")).toBe("subscribed");
  });

  test("with two addresses that differ in case alone is rejected in both, before anything is sent", async () => {
    await using place = await account();
    const outcomes = await place.connection.write(batch([change(1, "a@x.example"), change(2, "A@x.example")]));
    expect(outcomes).toMatchObject([1, 2].map((seq) => ({ seq, kind: "rejected", code: "duplicate_match" })));
  });

  test("whose later request finds no room may have been applied", async () => {
    await using place = await account(gone);
    await place.connection.describe("members", { audience, status_if_new: "subscribed" });
    await place.strike({ kind: "failure", name: "too_many" }, { method: "PATCH" });
    const changes = [change(1, "new@example.com"), change(2, "left@example.com")];
    expect(await failureOf(place.connection.write(batch(changes)))).toMatchObject({ kind: "busy", applied: "unknown" });
  });

  test.each<[code: string, record: DestinationRecord]>([
    ["unknown_field", { "merge_fields.NONE": "x" }],
    ["not_a_number", { "merge_fields.SEATS": "many" }],
    ["not_an_option", { "merge_fields.PLAN": "gold" }],
    ["not_a_date", { "merge_fields.SINCE": "2026-02-30" }],
    ["not_a_birthday", { "merge_fields.BDAY": "1990-11-24" }],
    ["not_an_address", { "merge_fields.ADDR": { addr1: "1 Main St" } }],
    ["too_long", { "merge_fields.FNAME": "é".repeat(128) }],
    ["not_a_boolean", { vip: "yes" }],
    ["not_a_language", { language: "English" }],
  ])("with a value that Mailchimp would refuse (%s) is told before anything is sent", async (code, record) => {
    await using place = await account();
    const [field] = Object.keys(record);
    expect(await write(place, change(1, "a@x.example", record))).toMatchObject({ kind: "rejected", code, field });
    expect((await place.asked()).filter(({ method }) => method !== "GET")).toEqual([]);
  });
});

test("a required field cannot be cleared", async () => {
  await using place = await account({ merge_fields: [{ tag: "FNAME", name: "First Name", required: true }] });
  const outcome = await write(place, change(1, "a@x.example", { "merge_fields.FNAME": null }));
  expect(outcome).toMatchObject({ kind: "rejected", code: "required", field: "merge_fields.FNAME" });
});

test("an overloaded account is busy, although its status is that of a missing right", async () => {
  await using place = await account();
  await place.strike({ kind: "failure", name: "overloaded" });
  expect(await failureOf(place.connection.check())).toMatchObject({ kind: "busy", retryAfterMs: 60_000 });
});

test("an audience that is not there is refused by name", async () => {
  await using place = await account();
  const error = await failureOf(place.connection.describe("members", { audience: "none", status_if_new: "pending" }));
  expect(error).toMatchObject({ kind: "refused", code: "audience_not_found" });
});

test("the key tells the data center, and nothing else can", async () => {
  const asked: string[] = [];
  const fetch = async (url: string | URL): Promise<Response> => {
    asked.push(String(url));
    return Response.json({ account_name: "Acme" });
  };
  const config = mailchimp.connection.parse({ api_key: key }) as Parameters<typeof mailchimp.connect>[0];
  await mailchimp.connect(config, contextOf(fetch)).check();
  expect(asked).toEqual(["https://us21.api.mailchimp.com/3.0/"]);
  for (const api_key of ["abc", "abc-us21.evil.example/", "abc-evil", "abc-us21@evil"])
    expect(mailchimp.connection.safeParse({ api_key }).success).toBe(false);
});
