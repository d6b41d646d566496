import { describe, expect, test } from "vitest";
import loops from "../../destinations/loops/index.ts";
import createSandbox from "../../destinations/loops/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import fixture, { key } from "./loops.fixture.ts";
import { openPlace, type Place } from "./place.ts";

type Contact = Readonly<Record<string, unknown>>;

async function team(contacts: readonly Contact[] = [], more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  const seed = { ...(fixture.seed as object), contacts, ...more };
  return openPlace({ adapter: loops, createSandbox, fixture, object, sandbox: { seed } });
}

function batch(match: "email" | "userId", records: Readonly<Record<string, DestinationRecord>>): Batch {
  const changes = Object.entries(records).map(([value, record], seq): Change => {
    return { seq, match: { [match]: value }, record, destinationId: undefined, renamed: false };
  });
  const fields = Object.keys(changes[0]?.record ?? {});
  return { object: "contacts", settings: {}, operation: "upsert", fields, match: [match], changes, id: "1" };
}

async function write(place: Place, one: Batch, operation: Batch["operation"] = "upsert"): Promise<Outcome | undefined> {
  return (await place.connection.write({ ...one, operation }))[0];
}

const held = (place: Place): readonly Contact[] => Object.values(place.contents()["contacts"] ?? {}) as Contact[];
const written = async (place: Place): Promise<readonly string[]> =>
  (await place.asked()).filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);

describe("by userId,", () => {
  test("a contact is made, and gets another address", async () => {
    await using place = await team();
    for (const email of ["old@x.example", "new@x.example"])
      expect(await write(place, batch("userId", { u1: { email, plan: "pro" } }))).toEqual({ seq: 0, kind: "accepted" });
    expect(held(place)).toMatchObject([{ userId: "u1", email: "new@x.example", plan: "pro" }]);
    expect(held(place)).toHaveLength(1);
  });

  test("one that came through a form and has no userId yet is found by its address", async () => {
    await using place = await team([{ email: "Ann@x.example", firstName: "Ann" }]);
    expect(await write(place, batch("userId", { u1: { email: "ann@x.example" } }))).toMatchObject({ kind: "accepted" });
    expect(held(place)).toMatchObject([{ userId: "u1", firstName: "Ann" }]);
    expect(held(place)).toHaveLength(1);
  });

  test("an address of somebody else's contact is rejected, for Loops would give that contact away", async () => {
    await using place = await team([{ email: "ann@x.example", userId: "u1" }]);
    const outcome = await write(place, batch("userId", { u2: { email: "ann@x.example" } }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "identifier_taken", field: "email" });
    expect(held(place)).toMatchObject([{ userId: "u1" }]);
    expect(await written(place)).toEqual([]);
  });

  test("nobody is made without an address, in Loops's words", async () => {
    await using place = await team();
    const outcome = await write(place, batch("userId", { u1: { plan: "pro" } }));
    expect(outcome).toMatchObject({
      kind: "rejected",
      code: "record_refused",
      message: expect.stringContaining("email"),
    });
  });
});

describe("by e-mail address,", () => {
  test("a contact gets a userId, but none that is somebody else's", async () => {
    await using place = await team([{ email: "ann@x.example" }, { email: "bob@x.example", userId: "u2" }]);
    const wanted = {
      "ann@x.example": { userId: "u1" },
      "cy@x.example": { userId: "u2" },
      "BOB@x.example": { userId: "u2" },
    };
    const outcomes = await place.connection.write(batch("email", wanted));
    expect(kinds(outcomes)).toEqual([
      [0, "accepted"],
      [1, "rejected"],
      [2, "accepted"],
    ]);
    expect(held(place).map(({ userId }) => userId)).toEqual(["u1", "u2"]);
  });

  test("no id of Loops's is told, for nothing can be found by it", async () => {
    await using place = await team();
    expect(await write(place, batch("email", { "a@x.example": {} }))).toEqual({ seq: 0, kind: "accepted" });
  });

  test.each(["email", "userId"])("%s cannot be cleared", async (field) => {
    await using place = await team();
    const outcome = await write(place, batch("email", { "a@x.example": { [field]: null } }));
    expect(outcome).toMatchObject({ kind: "rejected", code: "cannot_clear", field });
    expect(await written(place)).toEqual([]);
  });
});

test("who left stays out: whether a contact is subscribed can be seen, and is never sent", async () => {
  await using place = await team([{ email: "left@x.example", subscribed: false }]);
  const { fields } = await place.connection.describe("contacts", {});
  expect(fields.find(({ name }) => name === "subscribed")).toMatchObject({ writable: false });
  await write(place, batch("email", { "left@x.example": { plan: "pro" } }));
  expect(held(place)).toMatchObject([{ subscribed: false, plan: "pro" }]);
});

test("fields are the team's own, each with its type; one of an unknown type is not written", async () => {
  const properties = ["string", "number", "boolean", "date", "money"].map((type) => ({ key: type, label: type, type }));
  await using place = await team([], { properties });
  const { fields } = await place.connection.describe("contacts", {});
  expect(fields.slice(-5).map(({ type, writable, maxLength }) => [type, writable, maxLength])).toEqual([
    ["text", true, 500],
    ["number", true, undefined],
    ["boolean", true, undefined],
    ["datetime", true, undefined],
    ["json", false, undefined],
  ]);
});

describe("a removed row's contact", () => {
  test("that is gone already is neither cleared into being nor missed", async () => {
    await using place = await team();
    for (const operation of ["clear", "delete"] as const)
      expect(await write(place, batch("email", { "a@x.example": { plan: null } }), operation)).toMatchObject({
        kind: "accepted",
      });
    expect(held(place)).toEqual([]);
  });

  test("keeps its identifiers when it is cleared", async () => {
    await using place = await team([{ email: "a@x.example", userId: "u1", plan: "pro" }]);
    const nulls = batch("userId", { u1: { email: null, plan: null } });
    expect(await write(place, nulls, "clear")).toMatchObject({ kind: "accepted" });
    expect(held(place)).toMatchObject([{ email: "a@x.example", userId: "u1", plan: null }]);
  });
});

test("an insert of a contact that is there is rejected in Loops's words", async () => {
  await using place = await team([{ email: "a@x.example" }]);
  const outcome = await write(place, batch("email", { "a@x.example": {} }), "insert");
  expect(outcome).toMatchObject({ kind: "rejected", code: "exists", message: "Email or userId is already on list." });
});

describe("a limit", () => {
  test("is one of a second, and Loops does not say so", async () => {
    await using place = await team();
    await place.strike({ kind: "failure", name: "too_many" });
    const error = await failureOf(place.connection.write(batch("email", { "a@x.example": {} })));
    expect(error).toMatchObject({ kind: "busy", applied: "no", retryAfterMs: 1000 });
    expect(loops.limits({ api_key: key })).toMatchObject([{ requests: 10, perMs: 1000 }]);
  });

  test("in the middle of a batch leaves open what was applied before it", async () => {
    await using place = await team();
    await place.strike({ kind: "failure", name: "too_many" }, { after: 1 });
    const error = await failureOf(place.connection.write(batch("email", { "a@x.example": {}, "b@x.example": {} })));
    expect(error).toMatchObject({ kind: "busy", applied: "unknown" });
  });
});

test.each([
  [{ operation: "archive" }, "operation_unsupported"],
  [{ match: ["firstName"] }, "operation_unsupported"],
  [{ settings: { list: "x" } }, "settings_invalid"],
] as const)("what Loops cannot do is refused before anything is sent: %j", async (more, code) => {
  await using place = await team();
  const error = await failureOf(place.connection.write({ ...batch("email", { "a@x.example": {} }), ...more }));
  expect(error).toMatchObject({ kind: "refused", code, applied: "no" });
  expect(await place.asked()).toEqual([]);
});

test("an answer that is no JSON may have been applied", async () => {
  const config = loops.connection.parse({ api_key: key }) as Parameters<typeof loops.connect>[0];
  const page = loops.connect(
    config,
    contextOf(async () => new Response("<html>")),
  );
  const error = await failureOf(page.write(batch("email", { "a@x.example": {} })));
  expect(error).toMatchObject({ kind: "unavailable", code: "not_json", applied: "unknown" });
});

test("an answer without a word leaves the row in doubt", async () => {
  await using place = await team();
  await place.strike({ kind: "status", status: 200, body: undefined });
  expect(await write(place, batch("email", { "a@x.example": {} }))).toMatchObject({ kind: "in_doubt" });
});

test("the key goes to Loops alone", async () => {
  const asked: string[] = [];
  const fetch = async (url: string | URL): Promise<Response> => {
    asked.push(String(url));
    return Response.json({ success: true, teamName: "Acme" });
  };
  const config = loops.connection.parse({ api_key: key }) as Parameters<typeof loops.connect>[0];
  expect(await loops.connect(config, contextOf(fetch)).check()).toEqual({ account: "Loops, Acme" });
  expect(asked).toEqual(["https://app.loops.so/api/v1/api-key"]);
});
