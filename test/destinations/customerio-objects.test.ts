import { describe, expect, test } from "vitest";
import customerio from "../../destinations/customerio/index.ts";
import createSandbox from "../../destinations/customerio/sandbox.ts";
import type { Batch, Change, Connection } from "../../src/destination.ts";
import { checks, failureOf, keepsRenamed, kinds } from "./checks.ts";
import {
  account,
  appKey,
  type Attributes,
  batch,
  change,
  config,
  holding,
  personWith,
  reasonOf,
  seed,
  sent,
} from "./customerio.account.ts";
import fixture, { held } from "./customerio.fixture.ts";
import { type ObjectFixture, openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

const companies: ObjectFixture = {
  name: "companies",
  settings: {},
  match: "object_id",
  matchValue: (n) => `acme-${n}`,
  record: (n, revision) => ({ name: `Company ${n}.${revision}`, created_at: 1_700_000_000 + n * 10 + revision }),
  bad: { attributes: { note: "long ".repeat(201) } },
  held: held("objects", "object_id", ["name", "created_at"]),
  tellsNoIds: "what is accepted is never mentioned",
};

/** Without ids a renamed row cannot keep its record. */
const promises = Object.entries(checks).filter(([promise]) => promise !== keepsRenamed);

describe("objects of a type, looked up with the App API key", () => {
  const connection = { ...fixture.connection, app_api_key: appKey };
  test.each(promises)("%s", async (_promise, check) => {
    const given = { ...fixture, connection, seed: { ...seed, people: [] } };
    await using place = await openPlace({ adapter: customerio, createSandbox, fixture: given, object: companies });
    await check(place);
  });

  test("are listed beside what is always there, and those switched off are not", async () => {
    await using place = await account();
    expect((await place.connection.objects()).map(({ name }) => name)).toEqual([
      "people",
      "relationships",
      "segment_members",
      "companies",
      "courses",
    ]);
    expect(await failureOf(place.connection.describe("old", {}))).toMatchObject({ code: "unknown_object" });
  });

  test("are named by slug, name or number alike, and without the key by number", async () => {
    await using place = await account();
    for (const name of ["courses", "Courses", "object_type_2"])
      expect(await place.connection.describe(name, {})).toMatchObject({ name, title: "Courses" });
    const without = place.connect({ app_api_key: undefined });
    expect(await without.describe("object_type_9", {})).toMatchObject({ name: "object_type_9" });
    expect(await failureOf(without.describe("courses", {}))).toMatchObject({ code: "unknown_object" });
    const one = batch([change(1, { object_id: "c-1" }, { name: "Logic" })], {
      object: "Courses",
      match: ["object_id"],
    });
    await place.connection.write(one);
    expect(holding(place, "objects")).toEqual([{ object_type_id: "2", object_id: "c-1", name: "Logic" }]);
  });
});

describe("a relationship", () => {
  const related = (changes: readonly Change[], more: Partial<Batch> = {}): Batch =>
    batch(changes, {
      object: "relationships",
      match: ["object_id", "person_id"],
      settings: { object_type: "companies", datetimes: ["since"] },
      ...more,
    });

  test("is made with its attributes, changed, and deleted, while both its ends stay", async () => {
    await using place = await account();
    const { connection } = place;
    await connection.write(
      batch([change(1, { object_id: "acme" }, { name: "Acme" })], { object: "companies", match: ["object_id"] }),
    );
    const match = { object_id: "acme", person_id: "1" };
    const record = { attributes: { role: "admin" }, "attributes.since": "2026-11-23T09:30:00Z" };
    expect(kinds(await connection.write(related([change(1, match, record)])))).toEqual([[1, "accepted"]]);
    expect(holding(place, "relationships")).toEqual([{ role: "admin", since: 1_795_426_200 }]);
    await connection.write(related([change(1, match, { attributes: { role: null } })]));
    expect(holding(place, "relationships")).toEqual([{ since: 1_795_426_200 }]);
    for (let times = 0; times < 2; times += 1)
      expect(kinds(await connection.write(related([change(1, match)], { operation: "delete" })))).toEqual([
        [1, "accepted"],
      ]);
    expect(holding(place, "relationships")).toEqual([]);
    expect(holding(place, "objects")).toHaveLength(1);
    expect(personWith(place, "1")).toBeDefined();
  });

  test("is matched by its object and exactly one identifier of its person", async () => {
    await using place = await account();
    const described = await place.connection.describe("relationships", { object_type: "1" });
    expect(described).toMatchObject({ matchFields: 2, removals: ["delete"] });
    expect(place.connection.ignoresCase?.("relationships", {}, "person_email")).toBe(true);
    const byEmail = { object_id: "a", person_email: "bob@example.com" };
    await place.connection.write(related([change(1, byEmail)], { match: ["object_id", "person_email"] }));
    expect(holding(place, "relationships")).toHaveLength(1);
    for (const match of [{ object_id: "a" }, { ...byEmail, person_id: "2" }]) {
      const wrong = related([change(1, match)], { match: Object.keys(match) });
      expect(await failureOf(place.connection.write(wrong))).toMatchObject({ code: "match_incomplete" });
    }
  });

  test("whose row names another pair now is given up for that one, unless another row ties it", async () => {
    await using place = await account();
    const pairs = (): string[] => Object.keys(place.contents()["relationships"] ?? {}).toSorted();
    const first = await place.connection.write(
      related([
        change(1, { object_id: "a", person_id: "1" }, { attributes: { role: "x" } }),
        change(2, { object_id: "b", person_id: "1" }),
      ]),
    );
    const idOf = (seq: number): string | undefined =>
      first.flatMap((one) => (one.seq === seq && one.kind === "accepted" ? (one.destinationId ?? []) : []))[0];
    const moved = (seq: number, object_id: string): Change =>
      change(seq, { object_id, person_id: "1" }, {}, { destinationId: idOf(seq), renamed: true });
    expect(kinds(await place.connection.write(related([moved(1, "c")])))).toEqual([[1, "accepted"]]);
    expect(pairs()).toEqual(["1 b a3000001", "1 c a3000001"]);
    // Rows that change places leave both pairs as they are.
    await place.connection.write(related([moved(1, "b"), moved(2, "a")]));
    expect(pairs()).toEqual(["1 a a3000001", "1 b a3000001", "1 c a3000001"]);
  });

  test("that is moved is accepted only when all that it takes was", async () => {
    const moved = change(
      7,
      { object_id: "c", person_id: "1" },
      {},
      { renamed: true, destinationId: '{"object_id":"a","person":{"field":"person_id","value":"1"}}' },
    );
    const settings = { object_type: "1" };
    const two = related([moved, change(8, { object_id: "d", person_id: "1" })], { settings });
    const app = { types: [{ id: 1, name: "Companies" }] };
    for (const [index, expected] of [
      [0, ["rejected", "accepted"]],
      [1, ["rejected", "accepted"]],
      [2, ["accepted", "rejected"]],
      [3, ["in_doubt", "in_doubt"]],
    ] as const) {
      const answer = { errors: [{ batch_index: index, reason: "invalid" }] };
      const connection = customerio.connect(
        config,
        contextOf(async (url) => {
          if (String(url).endsWith("/batch")) return Response.json(answer, { status: 207 });
          return Response.json(String(url).endsWith("/object_types") ? app : {});
        }),
      );
      expect(kinds(await connection.write(two)).map(([, kind]) => kind)).toEqual(expected);
    }
  });

  test("to a type that there is not, or without one, is refused", async () => {
    await using place = await account();
    expect(await failureOf(place.connection.describe("relationships", {}))).toMatchObject({ code: "settings_invalid" });
    const unknown = place.connection.describe("relationships", { object_type: "boats" });
    expect(await failureOf(unknown)).toMatchObject({ code: "unknown_object" });
  });
});

describe("a member of a segment", () => {
  const members = (changes: readonly Change[], more: Partial<Batch> = {}): Batch =>
    batch(changes, { object: "segment_members", settings: { segment: "Churn risk" }, ...more });
  const leaving = { operation: "archive" } as const;
  const inSegment = (place: Place, name = "Churn risk"): readonly unknown[] => {
    const segments = holding(place, "segments") as unknown as { name: string; members: string[] }[];
    const held = (place.contents()["people"] ?? {}) as Record<string, Attributes>;
    return (segments.find((one) => one.name === name)?.members ?? []).map((id) => held[id]?.["email"]);
  };

  test("joins and leaves by ID, by address in any case, and by Customer.io's own ID", async () => {
    for (const [field, value] of [
      ["id", "2"],
      ["email", "bob@example.com"],
      ["cio_id", "a3000002"],
    ] as const) {
      await using place = await account();
      const one = [change(1, { [field]: value })];
      const joined = await place.connection.write(members(one, { match: [field] }));
      expect(joined).toEqual([{ seq: 1, kind: "accepted", destinationId: "a3000002" }]);
      expect(inSegment(place)).toEqual(["Bob@Example.com"]);
      for (let times = 0; times < 2; times += 1)
        expect(kinds(await place.connection.write(members(one, { match: [field], ...leaving })))).toEqual([
          [1, "accepted"],
        ]);
      expect(inSegment(place)).toEqual([]);
    }
  });

  test("whom Customer.io does not know, and so would ignore, is rejected; gone, it has left already", async () => {
    await using place = await account();
    const both = [change(1, { id: "1" }), change(2, { id: "nobody" })];
    const outcomes = await place.connection.write(members(both));
    expect(kinds(outcomes)).toEqual([
      [1, "accepted"],
      [2, "rejected"],
    ]);
    expect(reasonOf(outcomes, 2)).toEqual({ code: "person_not_found", field: "id" });
    expect(inSegment(place)).toEqual(["ann@example.com"]);
    expect(kinds(await place.connection.write(members(both, leaving))).map(([, kind]) => kind)).toEqual([
      "accepted",
      "accepted",
    ]);
  });

  test("without an ID can join by address and cannot leave: Customer.io would ignore it", async () => {
    await using place = await account();
    const one = [change(1, { email: "no-id@example.com" })];
    expect(kinds(await place.connection.write(members(one, { match: ["email"] })))).toEqual([[1, "accepted"]]);
    const outcomes = await place.connection.write(members(one, { match: ["email"], ...leaving }));
    expect(reasonOf(outcomes)).toEqual({ code: "person_has_no_id", field: "email" });
    expect(inSegment(place)).toEqual(["no-id@example.com"]);
  });

  test("whose row names another person now leaves for that one, unless another row puts it on", async () => {
    await using place = await account();
    await place.connection.write(members([change(1, { id: "1" })]));
    const moved = { destinationId: "a3000001", renamed: true };
    const outcomes = await place.connection.write(members([change(1, { id: "2" }, {}, moved)]));
    expect(outcomes).toEqual([{ seq: 1, kind: "accepted", destinationId: "a3000002" }]);
    expect(inSegment(place)).toEqual(["Bob@Example.com"]);
    const swapped = [
      change(1, { id: "1" }, {}, { destinationId: "a3000002", renamed: true }),
      change(2, { id: "2" }, {}, { destinationId: "a3000001", renamed: true }),
    ];
    const before = (await place.asked()).length;
    await place.connection.write(members(swapped));
    // Who left for a moment would leave the campaigns of the segment, too.
    const paths = (await place.asked()).slice(before).map(({ path }) => path);
    expect(paths).toEqual(["/v1/customers", "/api/v1/segments/1/add_customers"]);
    expect(inSegment(place)).toHaveLength(2);
  });

  test("whose address is another by now still leaves, found by Customer.io's own ID", async () => {
    await using place = await account();
    await place.connection.write(members([change(1, { email: "ann@example.com" })], { match: ["email"] }));
    for (const match of [{ email: "was-never@example.com" }, {}]) {
      const known = [change(1, match, {}, { destinationId: "a3000001" })];
      expect(kinds(await place.connection.write(members(known, { match: ["email"], ...leaving })))).toEqual([
        [1, "accepted"],
      ]);
      expect(inSegment(place)).toEqual([]);
      await place.connection.write(members([change(1, { id: "1" })]));
    }
  });

  test("without any identifier is nobody, and asks for nobody", async () => {
    await using place = await account();
    const blank = [change(1, { id: " " })];
    expect(reasonOf(await place.connection.write(members(blank)))).toEqual({ code: "person_not_found", field: "id" });
    expect(kinds(await place.connection.write(members(blank, leaving)))).toEqual([[1, "accepted"]]);
    expect(await sent(place, "/v1/customers")).toEqual([]);
  });

  test("that was taken off before the rest of its batch failed may have been changed", async () => {
    await using place = await account();
    await place.connection.write(members([change(1, { id: "1" })]));
    await place.strike({ kind: "failure", name: "track_limit" }, { path: "add_customers" });
    const moved = members([change(1, { id: "2" }, {}, { destinationId: "a3000001", renamed: true })]);
    expect(await failureOf(place.connection.write(moved))).toMatchObject({ kind: "busy", applied: "unknown" });
  });

  test("is in doubt when the answer is not success in its form", async () => {
    await using place = await account();
    await place.strike({ kind: "status", status: 200, body: { queued: 0 } }, { path: "_customers" });
    const one = [change(1, { id: "1" })];
    for (const more of [{}, leaving])
      expect(kinds(await place.connection.write(members(one, more)))).toEqual([[1, "in_doubt"]]);
  });

  test("joins a segment that is made when it is missing, once, and never by looking", async () => {
    await using place = await account();
    const settings = { segment: "New ones" };
    await place.connection.describe("segment_members", settings);
    expect(holding(place, "segments")).toHaveLength(seed.segments.length);
    for (const id of ["1", "2"]) await place.connection.write(members([change(1, { id })], { settings }));
    expect(holding(place, "segments")).toHaveLength(seed.segments.length + 1);
    expect(inSegment(place, "New ones")).toHaveLength(2);
    for (const wrong of [{ segment: "Newer", create: false }, { segment: 999 }]) {
      const forbidden = place.connection.describe("segment_members", wrong);
      expect(await failureOf(forbidden)).toMatchObject({ code: "segment_not_found" });
    }
  });

  test("of a segment that is gone has left it, and none is made for that", async () => {
    await using place = await account();
    const gone = members([change(1, { id: "1" })], { settings: { segment: "Gone" }, ...leaving });
    expect(kinds(await place.connection.write(gone))).toEqual([[1, "accepted"]]);
    expect(holding(place, "segments")).toHaveLength(seed.segments.length);
  });

  test("that could not be looked up has certainly not been changed", async () => {
    await using place = await account();
    await place.strike({ kind: "status", status: 503 }, { path: "/v1/customers" });
    for (const more of [{}, leaving])
      expect(await failureOf(place.connection.write(members([change(1, { id: "1" })], more)))).toMatchObject({
        kind: "unavailable",
        applied: "no",
      });
  });

  test("needs a manual segment that is one, and the App API key", async () => {
    await using place = await account();
    const described = async (connection: Connection, segment: string): Promise<string> =>
      (await failureOf(connection.describe("segment_members", { segment }))).code;
    expect(await described(place.connection, "Everyone")).toBe("segment_is_dynamic");
    expect(await described(place.connection, "Twin")).toBe("segment_ambiguous");
    expect((await place.connection.describe("segment_members", { segment: 4 })).name).toBe("segment_members");
    expect(await described(place.connect({ app_api_key: undefined }), "Churn risk")).toBe("app_api_key_missing");
    expect(await failureOf(place.connection.describe("segment_members", {}))).toMatchObject({
      code: "settings_invalid",
    });
  });
});
