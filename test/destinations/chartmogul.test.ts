import { describe, expect, test } from "vitest";
import chartmogul from "../../destinations/chartmogul/index.ts";
import createSandbox from "../../destinations/chartmogul/sandbox.ts";
import {
  type Batch,
  type Change,
  type Connection,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import fixture, { dataSource, type HeldCustomer } from "./chartmogul.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

const [customers] = fixture.objects;
const stripe = "ds_11111111-0000-4000-8000-000000000000";
const stripeUuid = "cus_aaaaaaaa-0000-4000-8000-000000000001";
const mergedUuid = "cus_aaaaaaaa-0000-4000-8000-000000000002";
const seed = {
  keys: ["cmk-5f0e3c2a-suite"],
  data_sources: [
    { uuid: dataSource, name: "In-house billing" },
    { uuid: stripe, name: "Stripe", system: "Stripe" },
  ],
  attributes: {
    plan: "String",
    seats: "Integer",
    hidden: "Integer",
    score: "Decimal",
    seen: "Timestamp",
    vip: "Boolean",
  },
  customers: [
    {
      uuid: stripeUuid,
      known: [{ dataSource: stripe, externalId: "cus_stripe_1" }],
      standard: { name: "Ada", email: "ada@example.com", city: "Aachen" },
      custom: { plan: "free", seats: 3, score: 1.5, seen: "2026-01-31T00:00:00.000Z", vip: false },
      tags: ["old", "kept"],
    },
    {
      uuid: mergedUuid,
      known: [
        { dataSource, externalId: "now" },
        { dataSource: stripe, externalId: "before" },
        { dataSource, externalId: "former" },
      ],
      standard: { name: "Bo", email: "bo@example.com" },
    },
  ],
};

/** A sandbox account with all of the above. */
async function account(more: Readonly<Record<string, unknown>> = {}, limits = false): Promise<Place> {
  if (!customers) throw new Error("the fixture has no customers");
  const given = { ...fixture, seed: { ...seed, ...more } };
  const place = await openPlace({
    adapter: chartmogul,
    createSandbox,
    fixture: given,
    object: customers,
    sandbox: { limits, seed: given.seed },
  });
  return place;
}

function change(
  seq: number,
  match: DestinationRecord,
  record: DestinationRecord = {},
  more: Partial<Change> = {},
): Change {
  return { seq, match, record, destinationId: undefined, renamed: false, ...more };
}

function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  const match = Object.keys(changes[0]?.match ?? {});
  const settings = { data_source: dataSource };
  return { object: "customers", settings, operation: "upsert", fields, match, id: "1", changes, ...more };
}

/** A batch for customers that are found by their UUID or e-mail address. */
const anywhere = (changes: readonly Change[]): Batch => batch(changes, { settings: {}, operation: "update" });

const held = (place: Place): Record<string, HeldCustomer> =>
  place.contents()["customers"] as Record<string, HeldCustomer>;
const known = (place: Place, externalId: string): HeldCustomer | undefined =>
  Object.values(held(place)).find((customer) => customer.known.some((one) => one.externalId === externalId));
const only = (outcomes: readonly Outcome[]): Outcome | undefined => outcomes[0];

/** What was asked since the account was looked at. */
async function asked(place: Place): Promise<string[]> {
  const all = (await place.asked()).filter(({ path, query }) => !path.includes("data_sources") && !query["per_page"]);
  return all.map(({ method, path }) => `${method} ${path.replace(/cus_[\w-]+/, "…")}`);
}

const config = { api_key: "cmk-5f0e3c2a-suite", base_url: "http://127.0.0.1:1" } as const;

/** A connection to a ChartMogul that answers every write alike, with an account that has the attribute `plan`. */
function answeredWith(text: string, status = 200): Connection {
  const custom = { plan: "free", seats: 1 };
  const entry = { uuid: stripeUuid, external_id: "a", data_source_uuid: dataSource, attributes: { custom, tags: [] } };
  return chartmogul.connect(
    config,
    contextOf(async (url, init) => {
      if (init?.method !== "GET") return new Response(text, { status });
      if (String(url).includes("/data_sources/")) return Response.json({ uuid: dataSource, name: "x" });
      return Response.json(/customers\/cus_/.test(String(url)) ? entry : { entries: [entry] });
    }),
  );
}

describe("customers of a data source", () => {
  test("are made in one request, and changed when they are there already", async () => {
    await using place = await account();
    const record = { name: "Cy", country: "DE", "custom.plan": "pro", tags: ["new"] };
    const made = batch([change(1, { external_id: "c-1" }, record)]);
    expect(await place.connection.write(made)).toEqual([{ seq: 1, kind: "accepted" }]);
    expect(await asked(place)).toEqual(["POST /v1/customers"]);
    expect(known(place, "c-1")).toMatchObject({ standard: { name: "Cy", country: "DE" }, custom: { plan: "pro" } });
    const changed = batch([change(1, { external_id: "c-1" }, { ...record, name: "Cyd", "custom.plan": "free" })]);
    expect(kinds(await place.connection.write(changed))).toEqual([[1, "accepted"]]);
    expect(known(place, "c-1")).toMatchObject({ standard: { name: "Cyd" }, custom: { plan: "free" }, tags: ["new"] });
    expect(Object.keys(held(place))).toHaveLength(3);
  });

  test("are made without what is null: there is nothing to clear yet", async () => {
    await using place = await account();
    const nulls = { city: null, "custom.plan": null, tags: null };
    await place.connection.write(batch([change(1, { external_id: "c-1" }, { ...nulls, zip: "10115" })]));
    expect((await place.asked()).at(-1)?.requestBody).toEqual({
      data_source_uuid: dataSource,
      external_id: "c-1",
      zip: "10115",
    });
  });

  test("are made once, when the answer to their making is lost", async () => {
    await using place = await account();
    const made = batch([change(1, { external_id: "c-1" }, { city: "Celle" })]);
    await place.connection.describe("customers", made.settings);
    await place.strike({ kind: "drop_after" }, { method: "POST", times: 1 });
    expect(await failureOf(place.connection.write(made))).toMatchObject({ kind: "unavailable", applied: "unknown" });
    expect(kinds(await place.connection.write(made))).toEqual([[1, "accepted"]]);
    expect(Object.keys(held(place))).toHaveLength(3);
  });

  test("are not those of another data source with the same external id", async () => {
    await using place = await account();
    const same = batch([change(1, { external_id: "cus_stripe_1" }, { city: "Celle" })]);
    expect(kinds(await place.connection.write(same))).toEqual([[1, "accepted"]]);
    expect(held(place)[stripeUuid]?.standard["city"]).toBe("Aachen");
    expect(Object.keys(held(place))).toHaveLength(3);
  });

  test("are found by every external id that was merged into them", async () => {
    await using place = await account();
    const former = batch([change(1, { external_id: "former" }, { city: "Celle" })]);
    expect(kinds(await place.connection.write(former))).toEqual([[1, "accepted"]]);
    expect(held(place)[mergedUuid]?.standard["city"]).toBe("Celle");
  });

  test("that are there already are refused to an insert, with the field at fault", async () => {
    await using place = await account();
    const again = batch([change(1, { external_id: "now" }, { city: "Celle" })], { operation: "insert" });
    expect(only(await place.connection.write(again))).toMatchObject({ kind: "rejected", field: "external_id" });
    expect(held(place)[mergedUuid]?.standard["city"]).toBe(undefined);
  });

  test("are never renamed: a row with another external id is not made a second customer", async () => {
    await using place = await account();
    const renamed = batch([change(1, { external_id: "elsewhere" }, { city: "Celle" }, { renamed: true })]);
    expect(only(await place.connection.write(renamed))).toMatchObject({ kind: "rejected", code: "external_id_fixed" });
    expect(Object.keys(held(place))).toHaveLength(2);
    const moved = batch([change(1, { external_id: "now" }, { city: "Celle" }, { renamed: true })]);
    expect(kinds(await place.connection.write(moved))).toEqual([[1, "accepted"]]);
  });

  test("that an integration fills can be updated, but not made or mirrored", async () => {
    await using place = await account();
    const settings = { data_source: stripe };
    expect(await place.connection.describe("customers", settings)).toMatchObject({ modes: ["update"], removals: [] });
    const updates = batch(
      [
        change(1, { external_id: "cus_stripe_1" }, { "custom.seats": 5 }),
        change(2, { external_id: "nobody" }, { "custom.seats": 5 }),
      ],
      { settings, operation: "update" },
    );
    const outcomes = await place.connection.write(updates);
    expect(outcomes).toMatchObject([
      { seq: 1, kind: "accepted" },
      { seq: 2, kind: "rejected", code: "not_found", field: "external_id" },
    ]);
    expect(held(place)[stripeUuid]?.custom["seats"]).toBe(5);
    const made = batch([change(2, { external_id: "nobody" }, { city: "Celle" })], { settings });
    expect(only(await place.connection.write(made))).toMatchObject({ kind: "rejected", field: "data_source_uuid" });
  });

  test("take a country by its two letters, and say so of its name", async () => {
    await using place = await account();
    const { fields } = await place.connection.describe("customers", { data_source: dataSource });
    const country = fields.find(({ name }) => name === "country");
    expect(country).toMatchObject({ type: "enum" });
    expect(country?.options?.filter(({ title }) => title === "Germany")).toEqual([{ value: "DE", title: "Germany" }]);
    expect(country?.options?.map(({ value }) => value)).not.toContain("ZZ");
  });

  test("need a data source that there is", async () => {
    await using place = await account();
    const error = await failureOf(place.connection.describe("customers", { data_source: "ds_nowhere" }));
    expect(error).toMatchObject({ kind: "refused", code: "unknown_data_source" });
    for (const settings of [{ data_source: "cus_1" }, { source: 1 }, { custom_attributes: { plan: "Text" } }])
      expect(await failureOf(place.connection.describe("customers", settings))).toMatchObject({
        code: "settings_invalid",
      });
  });
});

describe("customers of any data source", () => {
  test("are found by UUID or e-mail address, and only updated", async () => {
    await using place = await account();
    const described = await place.connection.describe("customers", {});
    expect(described).toMatchObject({ modes: ["update"], removals: [] });
    expect(described.fields.filter(({ matches }) => matches).map(({ name }) => name)).toEqual(["uuid", "email"]);
    for (const [match, city] of [
      [{ uuid: stripeUuid }, "Bonn"],
      [{ email: "ada@example.com" }, "Celle"],
    ] as const) {
      const outcomes = await place.connection.write(anywhere([change(1, match, { city })]));
      expect(outcomes).toEqual([{ seq: 1, kind: "accepted", destinationId: stripeUuid }]);
      expect(held(place)[stripeUuid]?.standard["city"]).toBe(city);
    }
    const none = anywhere([change(1, { email: "nobody@example.com" }, { city: "Celle" })]);
    expect(only(await place.connection.write(none))).toMatchObject({ kind: "rejected", code: "not_found" });
    const error = await failureOf(place.connection.write({ ...none, operation: "upsert" }));
    expect(error).toMatchObject({ kind: "refused", code: "operation_unsupported" });
  });

  test("that share an e-mail address are not guessed among", async () => {
    await using place = await account();
    const shared = batch([change(1, { external_id: "c-1" }, { email: "ada@example.com" })]);
    await place.connection.write(shared);
    const update = anywhere([change(1, { email: "ada@example.com" }, { city: "Celle" })]);
    expect(only(await place.connection.write(update))).toMatchObject({ kind: "rejected", code: "ambiguous_match" });
    expect(Object.values(held(place)).map(({ standard }) => standard["city"])).not.toContain("Celle");
  });

  test("keep their record when their e-mail address changes, and are found by it when their id is gone", async () => {
    await using place = await account();
    const renamed = change(
      1,
      { email: "ada@new.example" },
      { city: "Bonn" },
      { destinationId: stripeUuid, renamed: true },
    );
    expect(kinds(await place.connection.write(anywhere([renamed])))).toEqual([[1, "accepted"]]);
    expect(held(place)[stripeUuid]?.standard).toMatchObject({ email: "ada@new.example", city: "Bonn" });
    const gone = change(1, { email: "bo@example.com" }, { city: "Celle" }, { destinationId: "cus_merged-away" });
    expect(await place.connection.write(anywhere([gone]))).toEqual([
      { seq: 1, kind: "accepted", destinationId: mergedUuid },
    ]);
  });

  test("are asked for by nothing that could be another address", async () => {
    await using place = await account();
    for (const uuid of ["..", "../data_sources", "cus_1/attributes", ""]) {
      const update = anywhere([change(1, { uuid }, { city: "Celle" })]);
      expect(only(await place.connection.write(update))).toMatchObject({ kind: "rejected", code: "not_a_uuid" });
    }
    expect(await asked(place)).toEqual([]);
  });
});

describe("custom attributes", () => {
  test("are discovered with the types that their values show", async () => {
    await using place = await account();
    const { fields } = await place.connection.describe("customers", {});
    const found = fields.filter(({ name }) => name.startsWith("custom.")).map(({ name, type }) => [name, type]);
    expect(found).toEqual([
      ["custom.plan", "text"],
      ["custom.seats", "integer"],
      ["custom.score", "number"],
      ["custom.seen", "datetime"],
      ["custom.vip", "boolean"],
    ]);
    expect(fields.find(({ name }) => name === "custom.plan")).toMatchObject({ maxLength: 255 });
  });

  test("are discovered beyond the first page, and a whole number among decimals is a decimal", async () => {
    const many = Array.from({ length: 250 }, (_, n) => ({
      uuid: `cus_${n}`,
      known: [{ dataSource, externalId: String(n) }],
      custom: n === 249 ? { ratio: 2, late: "x" } : { ratio: n / 7 },
    }));
    await using place = await account({ customers: many });
    const { fields } = await place.connection.describe("customers", {});
    expect(fields.find(({ name }) => name === "custom.ratio")).toMatchObject({ type: "number" });
    expect(fields.map(({ name }) => name)).toContain("custom.late");
  });

  test("take the type that the settings declare, where the account has no values of another", async () => {
    await using place = await account();
    const settings = { data_source: dataSource, custom_attributes: { seats: "Decimal", health: "Boolean" } };
    const { fields } = await place.connection.describe("customers", settings);
    expect(fields.find(({ name }) => name === "custom.seats")).toMatchObject({ type: "number" });
    expect(fields.find(({ name }) => name === "custom.health")).toMatchObject({ type: "boolean" });
    for (const clash of [{ vip: "Integer" }, { plan: "Timestamp" }, { score: "Integer" }, { seats: "String" }])
      expect(await failureOf(place.connection.describe("customers", { custom_attributes: clash }))).toMatchObject({
        kind: "refused",
        code: "type_clash",
      });
  });

  test("that were once written without a type may be declared as what their text says", async () => {
    const old = { uuid: "cus_old", known: [{ dataSource, externalId: "old" }], custom: { users: "5678", on: "f" } };
    await using place = await account({ customers: [old] });
    const types = { users: "Integer", on: "Boolean" };
    const { fields } = await place.connection.describe("customers", { custom_attributes: types });
    expect(fields.slice(-2).map(({ type }) => type)).toEqual(["integer", "boolean"]);
    expect(
      await failureOf(place.connection.describe("customers", { custom_attributes: { on: "Integer" } })),
    ).toMatchObject({ code: "type_clash" });
  });

  test("of another type are refused before anything is sent", async () => {
    await using place = await account();
    const clashes: DestinationRecord[] = [
      { "custom.seats": "many" },
      { "custom.seats": 1.5 },
      { "custom.seats": 2 ** 60 },
      { "custom.score": "1.5" },
      { "custom.vip": "true" },
      { "custom.seen": "yesterday" },
      { "custom.plan": 7 },
    ];
    for (const record of clashes) {
      const outcome = only(await place.connection.write(batch([change(1, { external_id: "now" }, record)])));
      expect([record, outcome]).toEqual([
        record,
        { seq: 1, kind: "rejected", code: "type_clash", field: Object.keys(record)[0], message: expect.any(String) },
      ]);
    }
    const long = batch([change(1, { external_id: "now" }, { "custom.plan": "x".repeat(256) })]);
    expect(only(await place.connection.write(long))).toMatchObject({ kind: "rejected", code: "too_long" });
    const unknown = batch([change(1, { external_id: "now" }, { "custom.nothing": 1 })]);
    expect(only(await place.connection.write(unknown))).toMatchObject({ code: "unknown_field" });
    expect(await asked(place)).toEqual([]);
  });

  test("whose type only ChartMogul knew are rejected with nothing of the row written", async () => {
    await using place = await account();
    const settings = { data_source: dataSource, custom_attributes: { hidden: "String" } };
    const record = { city: "Celle", tags: ["new"], "custom.hidden": "x", "custom.plan": "pro" };
    const outcomes = await place.connection.write(batch([change(1, { external_id: "now" }, record)], { settings }));
    expect(only(outcomes)).toMatchObject({ kind: "rejected", code: "http_422" });
    expect(held(place)[mergedUuid]).toMatchObject({ custom: {}, tags: [], standard: { email: "bo@example.com" } });
    expect(held(place)[mergedUuid]?.standard["city"]).toBe(undefined);
  });

  test("are sent with their types, and times no finer than ChartMogul keeps them", async () => {
    await using place = await account();
    const record = {
      "custom.seen": "2026-11-23T09:30:00.123456Z",
      "custom.plan": "2026-11-23T09:30:00.123456Z",
      "custom.vip": true,
    };
    await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, record)]));
    expect((await place.asked()).at(-1)?.requestBody).toEqual({
      custom: [
        { type: "Timestamp", key: "seen", value: "2026-11-23T09:30:00.123Z" },
        { type: "String", key: "plan", value: "2026-11-23T09:30:00.123456Z" },
        { type: "Boolean", key: "vip", value: true },
      ],
    });
  });
});

describe("clearing", () => {
  test("takes away the attributes that are there, and asks for no others", async () => {
    await using place = await account();
    const nulls = { "custom.plan": null, "custom.vip": null, city: null };
    await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, nulls)]));
    expect(held(place)[stripeUuid]?.custom).toEqual({ seats: 3, score: 1.5, seen: "2026-01-31T00:00:00.000Z" });
    expect(held(place)[stripeUuid]?.standard).toEqual({ name: "Ada", email: "ada@example.com" });
    await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, nulls)]));
    const routes = await asked(place);
    expect(routes.filter((route) => route === "DELETE /v1/customers/…/attributes/custom")).toHaveLength(1);
  });

  test("a removed row's fields keeps its customer, its name and all that was not mapped", async () => {
    await using place = await account();
    const record = { name: "Cy", city: "Celle", "custom.plan": "pro", tags: ["new"] };
    await place.connection.write(batch([change(1, { external_id: "c-1" }, { ...record, zip: "10115" })]));
    const nulls = { name: null, city: null, "custom.plan": null, tags: null };
    const removal = batch([change(1, { external_id: "c-1" }, nulls)], { operation: "clear" });
    for (let times = 0; times < 2; times += 1) {
      expect(kinds(await place.connection.write(removal))).toEqual([[1, "accepted"]]);
      expect(known(place, "c-1")).toMatchObject({ standard: { name: "Cy", zip: "10115" }, custom: {}, tags: [] });
    }
    const gone = batch([change(1, { external_id: "never" }, nulls)], { operation: "clear" });
    expect(kinds(await place.connection.write(gone))).toEqual([[1, "accepted"]]);
  });

  test("a name is refused before it is sent", async () => {
    await using place = await account();
    const nameless = batch([change(1, { external_id: "now" }, { name: null })]);
    expect(only(await place.connection.write(nameless))).toMatchObject({ code: "name_needed", field: "name" });
    expect(await asked(place)).toEqual([]);
  });

  test("is all that a removal does: a customer's billing data goes with a customer, so none is deleted", async () => {
    await using place = await account();
    expect((await place.connection.describe("customers", { data_source: dataSource })).removals).toEqual(["clear"]);
    const gone = batch([change(1, { external_id: "now" })], { operation: "delete" });
    expect(await failureOf(place.connection.write(gone))).toMatchObject({
      code: "operation_unsupported",
      applied: "no",
    });
    expect(Object.keys(held(place))).toHaveLength(2);
  });
});

test("tags are all that the row has: only what differs is added and taken away", async () => {
  await using place = await account();
  const record = { tags: [" kept ", "new", "new"] };
  await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, record)]));
  expect(held(place)[stripeUuid]?.tags).toEqual(["kept", "new"]);
  const bodies = (await place.asked()).filter(({ path }) => path.endsWith("/tags")).map((one) => one.requestBody);
  expect(bodies).toEqual([{ tags: ["new"] }, { tags: ["old"] }]);
  expect(only(await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, { tags: [""] })])))).toMatchObject(
    {
      kind: "rejected",
      code: "not_tags",
    },
  );
});

describe("a refusal", () => {
  test("in both of ChartMogul's forms tells the field", async () => {
    await using place = await account();
    const made = only(await place.connection.write(batch([change(1, { external_id: "c-1" }, { country: "ZZ" })])));
    expect(made).toMatchObject({ kind: "rejected", code: "http_422", field: "country" });
    const changed = only(await place.connection.write(batch([change(1, { external_id: "now" }, { country: "ZZ" })])));
    expect(changed).toMatchObject({ kind: "rejected", code: "http_422", field: "country" });
  });

  test("that counts attributes blames none of them: ChartMogul says custom[0] whichever it is", async () => {
    const body = {
      code: 400,
      message: 'Parameter "custom[0][type]" does not have a valid value',
      param: "custom[0][type]",
    };
    const connection = answeredWith(JSON.stringify(body), 400);
    const record = { "custom.plan": "pro", "custom.seats": 2 };
    const outcome = only(await connection.write(anywhere([change(1, { uuid: stripeUuid }, record)])));
    expect(outcome).toMatchObject({ kind: "rejected", code: "http_400", field: undefined });
  });

  test("after a part of the row was written says which", async () => {
    await using place = await account();
    const record = { "custom.plan": "pro", tags: ["new"], country: "ZZ" };
    const outcome = only(await place.connection.write(anywhere([change(1, { uuid: stripeUuid }, record)])));
    expect(outcome).toMatchObject({
      kind: "rejected",
      field: "country",
      message: expect.stringMatching(/attributes and tags/),
    });
    expect(held(place)[stripeUuid]?.custom["plan"]).toBe("pro");
  });

  test("of a value that is known to be wrong comes before anything is sent", async () => {
    await using place = await account();
    const wrong: readonly (readonly [DestinationRecord, string])[] = [
      [{ country: "Germany" }, "not_a_country"],
      [{ email: "schnitzel.com" }, "not_an_email"],
      [{ owner: "Ada" }, "not_an_email"],
      [{ lead_created_at: "soon" }, "not_a_time"],
      [{ city: 7 }, "not_text"],
      [{ mrr: 7 }, "unknown_field"],
    ];
    for (const [record, code] of wrong) {
      const outcome = only(await place.connection.write(batch([change(1, { external_id: "now" }, record)])));
      expect(outcome).toMatchObject({ kind: "rejected", code });
    }
    expect(await asked(place)).toEqual([]);
  });

  test("without a word, of a field that ChartMogul keeps as it was, is told as one", async () => {
    await using place = await account({ fixed_fields: ["name"] });
    const update = anywhere([change(1, { uuid: stripeUuid }, { name: "Ada L.", city: "Bonn" })]);
    expect(only(await place.connection.write(update))).toMatchObject({ code: "not_kept", field: "name" });
  });
});

describe("an answer", () => {
  const told = async (answer: unknown, record: DestinationRecord): Promise<Outcome["kind"] | undefined> => {
    const connection = answeredWith(JSON.stringify(answer));
    return only(await connection.write(anywhere([change(1, { uuid: stripeUuid }, record)])))?.kind;
  };

  test("that does not show an attribute as it was sent leaves the row in doubt", async () => {
    const record = { "custom.plan": "pro", "custom.seats": 2 };
    expect(await told({ custom: { plan: "pro", seats: 2 } }, record)).toBe("accepted");
    expect(await told({ custom: { plan: "pro" } }, record)).toBe("in_doubt");
    expect(await told({ custom: { plan: "free", seats: 2 } }, record)).toBe("in_doubt");
    expect(await told({ custom: { plan: "pro", seats: 1 } }, record)).toBe("in_doubt");
    expect(await told({ custom: { plan: "pro", seats: null } }, record)).toBe("in_doubt");
    expect(await told({}, record)).toBe("in_doubt");
    expect(await told({ custom: { plan: "pro" } }, { "custom.plan": null })).toBe("in_doubt");
    expect(await told({}, { "custom.plan": null })).toBe("accepted");
  });

  test("that does not show the tags as they were sent leaves the row in doubt", async () => {
    const connection = (tags: readonly string[], answer: unknown): Connection =>
      chartmogul.connect(
        config,
        contextOf(async (url, init) => {
          if (init?.method !== "GET") return Response.json(answer);
          return Response.json(
            String(url).includes("cus_") ? { uuid: stripeUuid, attributes: { tags } } : { entries: [] },
          );
        }),
      );
    const update = anywhere([change(1, { uuid: stripeUuid }, { tags: ["new"] })]);
    const kindOf = async (tags: readonly string[], answer: unknown): Promise<unknown> =>
      only(await connection(tags, answer).write(update))?.kind;
    expect(await kindOf([], { tags: ["new"] })).toBe("accepted");
    expect(await kindOf([], { tags: ["other"] })).toBe("in_doubt");
    expect(await kindOf(["new", "old"], { tags: ["new"] })).toBe("accepted");
    expect(await kindOf(["new", "old"], { tags: ["new", "old"] })).toBe("in_doubt");
  });

  test("about a new customer of another data source, or without its parts, leaves the row in doubt", async () => {
    const made = batch([change(1, { external_id: "b" }, { "custom.plan": "pro", tags: ["new"] })]);
    const shown = { uuid: "cus_1", external_id: "b", data_source_uuid: dataSource };
    const whole = { custom: { plan: "pro" }, tags: ["new"] };
    const answers: readonly (readonly [answer: unknown, kind: string])[] = [
      [{ ...shown, attributes: whole }, "accepted"],
      [shown, "accepted"],
      [{ ...shown, data_source_uuid: stripe, attributes: whole }, "in_doubt"],
      [{ ...shown, attributes: { ...whole, custom: {} } }, "in_doubt"],
      [{ ...shown, attributes: { ...whole, tags: [] } }, "in_doubt"],
    ];
    for (const [answer, kind] of answers)
      expect(only(await answeredWith(JSON.stringify(answer), 201).write(made))).toMatchObject({ kind });
  });

  test("about another customer, or of none, leaves the row in doubt", async () => {
    expect(await told({ uuid: stripeUuid, city: "Bonn" }, { city: "Bonn" })).toBe("accepted");
    expect(await told({ uuid: mergedUuid, city: "Bonn" }, { city: "Bonn" })).toBe("in_doubt");
    expect(await told({}, { city: "Bonn" })).toBe("in_doubt");
    const made = batch([change(1, { external_id: "b" }, { city: "Bonn" })]);
    const other = { uuid: "cus_1", external_id: "other", data_source_uuid: dataSource };
    expect(kinds(await answeredWith(JSON.stringify(other), 201).write(made))).toEqual([[1, "in_doubt"]]);
    expect(kinds(await answeredWith(JSON.stringify({ ...other, external_id: "b" }), 201).write(made))).toEqual([
      [1, "accepted"],
    ]);
  });

  test("that lists others than were asked for finds none of them", async () => {
    const update = batch([change(1, { external_id: "b" }, { city: "Bonn" })], { operation: "update" });
    expect(only(await answeredWith("{}").write(update))).toMatchObject({ kind: "rejected", code: "not_found" });
    for (const match of [{ uuid: mergedUuid }, { email: "ada@example.com" }]) {
      const outcome = only(await answeredWith("{}").write(anywhere([change(1, match, { city: "Bonn" })])));
      expect(outcome).toMatchObject({ kind: "rejected", code: "not_found" });
    }
  });

  test("that does not show what a customer has leaves in doubt what depends on it", async () => {
    const bare = { uuid: stripeUuid, external_id: "a" };
    const connection = chartmogul.connect(
      config,
      contextOf(async (url) => Response.json(String(url).includes("cus_") ? bare : { entries: [] })),
    );
    const settings = { custom_attributes: { plan: "String" } };
    for (const record of [{ "custom.plan": null }, { tags: ["new"] }, { tags: null }]) {
      const update = { ...anywhere([change(1, { uuid: stripeUuid }, record)]), settings };
      expect(kinds(await connection.write(update))).toEqual([[1, "in_doubt"]]);
    }
  });

  test("that is not JSON is unavailable: nobody knows what was applied", async () => {
    const update = anywhere([change(1, { uuid: stripeUuid }, { city: "Bonn" })]);
    for (const status of [200, 404, 422])
      expect(await failureOf(answeredWith("<html>Bad gateway</html>", status).write(update))).toMatchObject({
        kind: "unavailable",
        applied: "unknown",
      });
  });

  test("is never met with anything but a classified error", async () => {
    for (const text of [
      "",
      "<html>",
      "null",
      '"text"',
      "[]",
      "{}",
      '{"entries":1}',
      '{"entries":[null]}',
      '{"errors":3}',
    ]) {
      for (const status of [200, 404, 422]) {
        const connection = chartmogul.connect(
          config,
          contextOf(async () => new Response(text, { status })),
        );
        const one = [change(1, { external_id: "a" }, { city: "x" })];
        const attempts = [
          connection.check(),
          connection.describe("customers", {}),
          connection.describe("customers", { data_source: dataSource }),
          connection.write(batch(one)),
          connection.write(anywhere([change(1, { email: "a@example.com" }, { city: "x" })])),
          connection.write(batch(one, { operation: "clear" })),
        ];
        for (const ended of await Promise.allSettled(attempts))
          if (ended.status === "rejected") expect([text, ended.reason]).toEqual([text, expect.any(DestinationError)]);
      }
    }
  });
});

describe("failures", () => {
  const update = anywhere([change(1, { uuid: stripeUuid }, { city: "Bonn", "custom.plan": "pro" })]);
  const expected: readonly (readonly [failure: string, error: object])[] = [
    ["rate_limit", { kind: "busy", code: "rate_limit", retryAfterMs: 1000 }],
    ["parallel_limit", { kind: "busy", code: "parallel_limit", retryAfterMs: 1000 }],
    ["unauthorized", { kind: "unauthorized", code: "http_401" }],
    ["trial_expired", { kind: "unauthorized", code: "http_403" }],
  ];
  test.each(expected)("%s is told with its code and wait, and applied nothing", async (name, error) => {
    await using place = await account();
    await place.connection.describe("customers", {});
    await place.strike({ kind: "failure", name });
    expect(await failureOf(place.connection.write(update))).toMatchObject({ ...error, applied: "no" });
  });

  test("after a part of a row was written may have applied it", async () => {
    await using place = await account();
    await place.connection.describe("customers", {});
    await place.strike({ kind: "failure", name: "rate_limit" }, { method: "PATCH" });
    expect(await failureOf(place.connection.write(update))).toMatchObject({ kind: "busy", applied: "unknown" });
    expect(held(place)[stripeUuid]?.custom["plan"]).toBe("pro");
    await place.calm();
    expect(kinds(await place.connection.write(update))).toEqual([[1, "accepted"]]);
  });

  test("of the limit come after forty requests in a second, as the adapter declares", async () => {
    await using place = await account({}, true);
    expect(chartmogul.limits(config)).toEqual([{ name: "second", requests: 40, perMs: 1000 }]);
    const all = await Promise.allSettled(Array.from({ length: 25 }, () => place.connection.check()));
    const refused = all.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) expect(one).toMatchObject({ reason: { kind: "busy", code: "rate_limit" } });
  });
});

test("a base_url that ends in a slash is the same address", async () => {
  await using place = await account();
  expect((await place.connect({ base_url: `${place.url}/` }).check()).account).toContain("Sandbox account");
});
