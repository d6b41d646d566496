import { describe, expect, test } from "vitest";
import pipedrive from "../../destinations/pipedrive/index.ts";
import createSandbox from "../../destinations/pipedrive/sandbox.ts";
import type { PipedriveConfig } from "../../destinations/pipedrive/settings.ts";
import type { Batch, Change, DestinationRecord, Outcome } from "../../src/destination.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import { failureOf, kinds } from "./checks.ts";
import { contextOf } from "./context.ts";
import fixture, { fields, type HeldPipedrive, key, token } from "./pipedrive.fixture.ts";
import { openPlace, type Place } from "./place.ts";

async function company(seed: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  return openPlace({
    adapter: pipedrive,
    createSandbox,
    fixture,
    object,
    sandbox: { seed: { ...Object(fixture.seed), nameless: false, ...seed } },
  });
}

const byAccount = fields.accountId;

function change(seq: number, match: DestinationRecord, record: DestinationRecord = {}, more = {}): Change {
  return { seq, match, record, destinationId: undefined, renamed: false, ...more };
}

async function write(
  place: Place,
  { object = "persons", operation = "upsert" as Batch["operation"] },
  ...changes: readonly Change[]
): Promise<readonly Outcome[]> {
  const [first] = changes;
  return place.connection.write({
    object,
    settings: {},
    operation,
    match: Object.keys(first?.match ?? {}),
    fields: Object.keys(first?.record ?? {}),
    changes,
    id: "1",
  });
}

function held(place: Place, object = "persons"): readonly HeldPipedrive[] {
  const all = Object.values((place.contents()[object] ?? {}) as Record<string, HeldPipedrive>);
  return all.filter(({ is_deleted: isDeleted }) => !isDeleted);
}

async function writes(place: Place): Promise<readonly string[]> {
  return (await place.asked()).filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);
}

const ann = { name: "Ann", emails: [{ value: "ann@example.com", label: "work", primary: true }] };
const twin = { name: "Ann's twin", emails: [{ value: "ANN@example.com", label: "home", primary: true }] };

describe("what finds a record", () => {
  test.each<[string, DestinationRecord, Record<string, unknown>]>([
    ["an e-mail address", { email: "ann@example.com" }, { persons: [ann, twin] }],
    ["a name", { name: "Ann" }, { persons: [ann, { ...ann, emails: [] }] }],
    [
      "a custom field",
      { [byAccount]: "a-1" },
      { persons: [1, 2].map((n) => ({ name: `P ${n}`, custom_fields: { [byAccount]: "a-1" } })) },
    ],
  ])("finds two by %s: none is guessed, in any operation", async (_by, match, seed) => {
    await using place = await company(seed);
    const before = JSON.stringify(place.contents());
    for (const operation of ["upsert", "update", "insert", "delete", "clear"] as const) {
      const outcomes = await write(place, { operation }, change(1, match, { [fields.plan]: operation }));
      expect(outcomes).toMatchObject([{ kind: "rejected", code: "ambiguous_match", field: Object.keys(match)[0] }]);
      expect(outcomes[0]).toHaveProperty("message", expect.stringContaining("1, 2"));
    }
    expect(JSON.stringify(place.contents())).toBe(before);
    expect(await writes(place)).toEqual([]);
  });

  test("is that custom field, though the search tells only that some field has the value", async () => {
    const seats = { name: "Forty-two seats", custom_fields: { [fields.plan]: "42", [fields.seats]: 42 } };
    const other = { name: "Account 42", custom_fields: { [byAccount]: "42" } };
    await using place = await company({ organizations: [seats, seats, other] });
    const wanted = change(1, { [byAccount]: "42" }, { [fields.plan]: "pro" });
    expect(await write(place, { object: "organizations" }, wanted)).toMatchObject([{ destinationId: "3" }]);
    expect(held(place, "organizations").map((one) => one.custom_fields[fields.plan])).toEqual(["42", "42", "pro"]);
  });

  test("is a number as a number, and a text with its capitals, of which the search takes no account", async () => {
    const people = [
      { name: "A", custom_fields: { [byAccount]: "ab", [fields.seats]: 7 } },
      { name: "Seven", custom_fields: { [fields.plan]: "7", [fields.seats]: 8 } },
    ];
    await using place = await company({ persons: people });
    const outcomes = [
      ...(await write(place, {}, change(1, { [fields.seats]: 7 }, { name: "Seven of them" }))),
      ...(await write(place, {}, change(2, { [byAccount]: "AB" }, { name: "Capitals" }))),
    ];
    expect(outcomes).toMatchObject([{ destinationId: "1" }, { destinationId: "3" }]);
    expect(held(place).map(({ name, custom_fields: custom }) => [name, custom[byAccount]])).toEqual([
      ["Seven of them", "ab"],
      ["Seven", undefined],
      ["Capitals", "AB"],
    ]);
  });

  test("is no name that differs in its capitals, and none such is made beside it", async () => {
    await using place = await company({ organizations: [{ name: "ACME" }] });
    const outcomes = await write(place, { object: "organizations" }, change(1, { name: "Acme" }, {}));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "ambiguous_match", field: "name" }]);
    expect(held(place, "organizations")).toHaveLength(1);
  });

  test("is no address that only contains it, and any of a person's addresses", async () => {
    const second = { value: "Ann@Home.example", label: "home", primary: false };
    await using place = await company({ persons: [{ ...ann, emails: [...ann.emails, second] }] });
    const outcomes = await write(
      place,
      {},
      change(1, { email: "ann@home.example" }, { [fields.plan]: "pro" }),
      change(2, { email: "nn@example.com" }, { name: "Another" }),
    );
    expect(outcomes).toMatchObject([{ destinationId: "1" }, { destinationId: "2" }]);
    expect(held(place)[0]?.emails).toEqual([...ann.emails, second]);
  });

  test("may be Pipedrive's own id, by which nothing can be made", async () => {
    await using place = await company({ persons: [ann] });
    const [there, gone] = await write(
      place,
      {},
      change(1, { id: 1 }, { [fields.plan]: "pro" }),
      change(2, { id: 99 }, { [fields.plan]: "pro" }),
    );
    expect(there).toMatchObject({ kind: "accepted", destinationId: "1" });
    expect(gone).toMatchObject({ kind: "rejected", code: "not_found" });
    const insert = write(place, { operation: "insert" }, change(1, { id: 5 }, { name: "Five" }));
    expect(await failureOf(insert)).toMatchObject({ kind: "refused", code: "operation_unsupported" });
  });

  test("is not found at all among more than the search shows", async () => {
    const many = Array.from({ length: 501 }, (_, n) => ({ name: `P ${n}`, custom_fields: { [fields.plan]: "x" } }));
    await using place = await company({ persons: many });
    const outcomes = await write(place, {}, change(1, { [byAccount]: "x" }, { name: "X" }));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "ambiguous_match" }]);
  });

  test("is looked at in hundreds where many have the value somewhere", async () => {
    const many = Array.from({ length: 230 }, (_, n) => ({ name: `P ${n}`, custom_fields: { [fields.plan]: "x" } }));
    const meant = { name: "Meant", custom_fields: { [byAccount]: "x" } };
    await using place = await company({ persons: [...many, meant] });
    const outcomes = await write(place, {}, change(1, { [byAccount]: "x" }, { [fields.plan]: "y" }));
    expect(outcomes).toMatchObject([{ kind: "accepted", destinationId: "231" }]);
    expect((await place.asked()).filter(({ path }) => path === "/api/v2/persons")).toHaveLength(3);
  });

  test("cannot be empty", async () => {
    await using place = await company();
    const outcomes = await write(place, {}, change(1, { email: " " }), change(2, { email: null }));
    expect(outcomes).toMatchObject([1, 2].map((seq) => ({ seq, kind: "rejected", code: "match_empty" })));
  });
});

describe("a record whose making had no answer", () => {
  const late = { search_delay_ms: 3_600_000 };

  test.each<[string, DestinationRecord, string]>([
    ["an e-mail address", { email: "new@example.com" }, "persons"],
    ["a custom field", { [byAccount]: "a-7" }, "organizations"],
    ["a name", { name: "Newcomer" }, "organizations"],
  ])("is found by %s among the newest, while the search does not see it", async (_by, match, object) => {
    await using place = await company(late);
    await place.strike({ kind: "drop_after" }, { method: "POST", times: 1 });
    const record = { name: "Newcomer", [fields.plan]: "pro" };
    const error = await failureOf(write(place, { object }, change(1, match, record)));
    expect(error).toMatchObject({ kind: "unavailable", applied: "unknown" });
    const again = await write(place, { object }, change(1, match, { ...record, [fields.plan]: "max" }));
    expect(again).toMatchObject([{ kind: "accepted", destinationId: "1" }]);
    expect(held(place, object).map((one) => one.custom_fields[fields.plan])).toEqual(["max"]);
  });

  test("is the row's own also for an insert, and when the answer came but said nothing", async () => {
    await using place = await company(late);
    await place.strike({ kind: "partial" }, { method: "POST", times: 1 });
    const wanted = change(1, { email: "new@example.com" }, { name: "Newcomer" });
    expect(await write(place, { operation: "insert" }, wanted)).toMatchObject([{ kind: "in_doubt" }]);
    expect(await write(place, { operation: "insert" }, wanted)).toMatchObject([
      { kind: "accepted", destinationId: "1" },
    ]);
    expect(held(place)).toHaveLength(1);
  });

  test("is made at the next attempt if it was not", async () => {
    await using place = await company(late);
    await place.strike({ kind: "status", status: 502 }, { method: "POST", times: 1 });
    const wanted = change(1, { email: "new@example.com" }, { name: "Newcomer" });
    expect(await failureOf(write(place, {}, wanted))).toMatchObject({ applied: "unknown" });
    expect(await write(place, {}, wanted)).toMatchObject([{ kind: "accepted" }]);
    expect(held(place)).toHaveLength(1);
  });

  test("may be made twice by another process, and the description says so", async () => {
    await using place = await company(late);
    const { idempotent } = await place.connection.describe("persons", {});
    expect(idempotent).toEqual({ upsert: false, update: true, mirror: false, insert: false, append: false });
  });
});

test("a search that does not show what it found leaves the row in doubt, rather than make it again", async () => {
  await using place = await company({ persons: [ann] });
  for (const item of [{ id: 1 }, { id: 1, name: null }]) {
    const body = { success: true, data: { items: [{ item }] } };
    await place.strike({ kind: "status", status: 200, body }, { path: "/search" });
    for (const match of [{ email: "ann@example.com" }, { name: "Ann" }])
      expect(await failureOf(write(place, {}, change(1, match)))).toMatchObject({ code: "unknown_answer" });
    await place.calm();
  }
  expect(await writes(place)).toEqual([]);
});

describe("a row that was sent before", () => {
  test.each([{}, { destinationId: "1" }])(
    "whose record is there, though a change answers 404, makes no other",
    async (more) => {
      await using place = await company({ persons: [ann] });
      const body = { success: false, error: "Organization not found", code: "ERR_NOT_FOUND" };
      await place.strike({ kind: "status", status: 404, body }, { method: "PATCH" });
      const wanted = change(1, { email: "ann@example.com" }, { org_id: 5 }, more);
      expect(await write(place, {}, wanted)).toMatchObject([
        { kind: "rejected", code: "err_not_found", message: "Organization not found" },
      ]);
      expect(held(place)).toHaveLength(1);
    },
  );

  test("costs one request, by Pipedrive's id", async () => {
    await using place = await company({ persons: [ann] });
    await place.connection.describe("persons", {});
    const wanted = change(1, { email: "ann@example.com" }, { [fields.plan]: "pro" }, { destinationId: "1" });
    expect(await write(place, {}, wanted)).toMatchObject([{ kind: "accepted", destinationId: "1" }]);
    const asked = (await place.asked()).filter(({ path }) => !path.endsWith("Fields"));
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(["PATCH /api/v2/persons/1"]);
  });

  test.each(["7", "1"])("whose record %s is gone or deleted gets another one; an update makes none", async (id) => {
    await using place = await company({ persons: [{ ...ann, is_deleted: true }] });
    const wanted = change(1, { email: "ann@example.com" }, { name: "Ann" }, { destinationId: id });
    expect(await write(place, { operation: "update" }, wanted)).toMatchObject([
      { kind: "rejected", code: "not_found", field: "email" },
    ]);
    expect(await write(place, {}, wanted)).toMatchObject([{ kind: "accepted", destinationId: "2" }]);
    expect(held(place).map(({ name }) => name)).toEqual(["Ann"]);
  });

  test("and is named anew by a value that another record has is rejected, for two would have it", async () => {
    const persons = [ann, { name: "Bo", emails: [{ value: "bo@example.com", label: "work", primary: true }] }];
    await using place = await company({ persons });
    const more = { destinationId: "1", renamed: true };
    const taken = change(1, { email: "bo@example.com" }, { [fields.plan]: "pro" }, more);
    expect(await write(place, {}, taken)).toMatchObject([{ kind: "rejected", code: "match_taken", field: "email" }]);
    const free = change(1, { email: "ann@new.example" }, { [fields.plan]: "pro" }, more);
    expect(await write(place, {}, free)).toMatchObject([{ kind: "accepted", destinationId: "1" }]);
    expect(held(place)[0]?.emails).toEqual([{ value: "ann@new.example", label: "work", primary: true }]);
  });
});

describe("e-mail addresses and phones", () => {
  const added = { value: "ann@home.example", label: "home", primary: false };
  const phone = { value: "+1 415 555 0100", label: "mobile", primary: true };
  const known = { ...ann, emails: [...ann.emails, added], phones: [phone], custom_fields: { [byAccount]: "a-1" } };
  const match = { [byAccount]: "a-1" };

  test.each<[string, DestinationRecord, unknown]>([
    [
      "a new one takes the place of the former",
      { email: "a@new.example" },
      ["a@new.example*work", `${added.value}home`],
    ],
    [
      "one that is there becomes the first",
      { email: "ANN@home.example" },
      ["ann@example.comwork", `${added.value}*home`],
    ],
    ["null takes it away", { email: null }, [`${added.value}*home`]],
    ["a list replaces all", { emails: ["x@new.example"] }, ["x@new.example*work"]],
    ["an empty list leaves none", { emails: null }, []],
  ])("the primary address is written and the others stay: %s", async (_what, record, expected) => {
    await using place = await company({ persons: [known] });
    expect(await write(place, {}, change(1, match, record))).toMatchObject([{ kind: "accepted" }]);
    const emails = held(place)[0]?.emails ?? [];
    expect(emails.map(({ value, primary, label }) => `${value}${primary ? "*" : ""}${label}`)).toEqual(expected);
    expect(held(place)[0]?.phones).toEqual([phone]);
  });

  test("a phone that is written in another way is the same, and nothing is sent", async () => {
    await using place = await company({ persons: [known] });
    const outcomes = await write(place, {}, change(1, match, { phone: "+1 (415) 555-0100" }));
    expect(outcomes).toMatchObject([{ kind: "accepted", destinationId: "1" }]);
    expect(await writes(place)).toEqual([]);
  });

  test("a list of whole entries is written as it is, and has the address by which the person is found", async () => {
    await using place = await company();
    const emails = [{ value: "b@x.example", label: "billing", primary: true }];
    expect(await write(place, {}, change(1, { email: "a@x.example" }, { name: "A", emails }))).toMatchObject([
      { kind: "accepted" },
    ]);
    expect(held(place)[0]?.emails).toEqual([...emails, { value: "a@x.example", label: "work", primary: false }]);
  });

  test("both the first and the list of them cannot be written", async () => {
    await using place = await company({ persons: [known] });
    const record = { email: "a@x.example", emails: ["b@x.example"] };
    expect(await write(place, {}, change(1, match, record))).toMatchObject([{ kind: "rejected", code: "field_twice" }]);
  });
});

describe("values", () => {
  test("have the forms that Pipedrive takes: options by label, amounts with currency, ranges, addresses", async () => {
    await using place = await company();
    const record: DestinationRecord = {
      name: "Acme",
      [fields.seats]: 12.5,
      [fields.tier]: "Silver",
      [fields.uses]: ["Voice", "Chat", "Voice"],
      [fields.mrr]: { value: 99.9, currency: "EUR" },
      [fields.renewsOn]: "2026-12-31",
      [fields.office]: { value: "1 Main St, Springfield", locality: "Springfield", country: "USA" },
      [fields.hours]: { value: "09:00", until: "17:30", timezone_name: "Europe/Berlin" },
      [fields.trial]: { value: "2026-01-01", until: "2026-01-31" },
      [fields.lunch]: "12:30",
      [fields.notes]: "n".repeat(5000),
      [fields.manager]: 7,
      address: "2 Side St",
      label_ids: ["Hot"],
      visible_to: "company",
    };
    const outcomes = await write(place, { object: "organizations" }, change(1, { [byAccount]: "a-1" }, record));
    expect(outcomes).toMatchObject([{ kind: "accepted" }]);
    expect(held(place, "organizations")[0]).toMatchObject({
      name: "Acme",
      address: { value: "2 Side St" },
      label_ids: [5],
      visible_to: 7,
      custom_fields: {
        [byAccount]: "a-1",
        [fields.seats]: 12.5,
        [fields.tier]: 32,
        [fields.uses]: [42, 41],
        [fields.mrr]: { value: 99.9, currency: "EUR" },
        [fields.lunch]: { value: "12:30" },
        [fields.manager]: 7,
      },
    });
  });

  test("are cleared by null, also those with parts", async () => {
    const custom = {
      [byAccount]: "a-1",
      [fields.tier]: 31,
      [fields.uses]: [41],
      [fields.mrr]: { value: 1, currency: "EUR" },
    };
    await using place = await company({ organizations: [{ name: "Acme", label_ids: [5], custom_fields: custom }] });
    const record: DestinationRecord = {
      [fields.tier]: null,
      [fields.uses]: null,
      // As a document has it that maps the amount from a column and the currency as a constant.
      [fields.mrr]: { value: null, currency: "EUR" },
      label_ids: null,
    };
    const outcomes = await write(place, { object: "organizations" }, change(1, { [byAccount]: "a-1" }, record));
    expect(outcomes).toMatchObject([{ kind: "accepted" }]);
    const cleared = { [fields.tier]: null, [fields.uses]: null, [fields.mrr]: null };
    expect(held(place, "organizations")[0]?.custom_fields).toEqual({ [byAccount]: "a-1", ...cleared });
  });

  test.each<[code: string, record: DestinationRecord]>([
    ["unknown_field", { [key(99)]: "x" }],
    ["too_long", { [fields.plan]: "x".repeat(256) }],
    ["too_long", { name: "x".repeat(256) }],
    ["not_text", { [fields.plan]: 5 }],
    ["not_a_number", { [fields.seats]: "5" }],
    ["not_an_option", { [fields.tier]: "Bronze" }],
    ["not_an_option", { [fields.tier]: 31 }],
    ["not_an_option", { [fields.uses]: ["Chat", "Fax"] }],
    ["not_a_list", { [fields.uses]: "Chat" }],
    ["not_money", { [fields.mrr]: 5 }],
    ["not_money", { [fields.mrr]: { value: 5, currency: "Euro" } }],
    ["not_a_date", { [fields.renewsOn]: "2026-02-30" }],
    ["not_a_range", { [fields.trial]: { value: "2026-02-01", until: "2026-01-01" } }],
    ["not_a_range", { [fields.hours]: { value: "25:00", until: "26:00" } }],
    ["not_a_time_of_day", { [fields.lunch]: "noon" }],
    ["not_an_address", { [fields.office]: { locality: "Springfield" } }],
    ["not_an_address", { [fields.office]: { value: "x", town: "Springfield" } }],
    ["not_an_id", { org_id: "12" }],
    ["not_an_id", { [fields.manager]: 0 }],
    ["not_an_email", { emails: ["a@x.example", "none"] }],
    ["not_an_email", { emails: ["a", "b"].map((one) => ({ value: `${one}@x.example`, primary: true })) }],
    ["not_a_phone", { phone: 5 }],
    ["not_clearable", { name: null }],
    ["not_clearable", { name: "" }],
    ["not_writable", { id: 5 }],
  ])("that Pipedrive would refuse or cut (%s) are told before anything is sent", async (code, record) => {
    await using place = await company();
    const [field] = Object.keys(record);
    const outcomes = await write(place, {}, change(1, { email: "a@x.example" }, record));
    expect(outcomes).toMatchObject([{ kind: "rejected", code, field }]);
    expect((await place.asked()).filter(({ path }) => !path.endsWith("Fields"))).toEqual([]);
  });

  test.each<[code: string, record: DestinationRecord]>([
    ["not_a_currency", { currency: "euro" }],
    ["not_a_percentage", { probability: 101 }],
    ["not_an_option", { status: "closed" }],
    ["not_clearable", { stage_id: null }],
  ])("of deals likewise (%s)", async (code, record) => {
    await using place = await company();
    expect(await write(place, { object: "deals" }, change(1, { title: "Renewal" }, record))).toMatchObject([
      { kind: "rejected", code },
    ]);
  });

  test("are rejected where Pipedrive says yes and shows another", async () => {
    await using place = await company({ shouts: true });
    const record = { name: "Acme", [fields.plan]: "pro" };
    const outcomes = await write(place, { object: "organizations" }, change(1, { name: "Acme" }, record));
    expect(outcomes).toMatchObject([{ kind: "rejected", code: "not_kept", field: fields.plan }]);
  });

  test("tie persons and deals to organizations by Pipedrive's ids, and Pipedrive tells where there is none", async () => {
    await using place = await company({ organizations: [{ name: "Acme" }] });
    const [tied, untied] = await write(
      place,
      {},
      change(1, { email: "a@x.example" }, { name: "A", org_id: 1 }),
      change(2, { email: "b@x.example" }, { name: "B", org_id: 9 }),
    );
    expect(tied).toMatchObject({ kind: "accepted" });
    expect(untied).toMatchObject({
      kind: "rejected",
      code: "err_schema_validation_failed",
      message: expect.stringContaining("org_id"),
    });
    const deal = change(1, { title: "Renewal" }, { org_id: 1, value: 1200, currency: "EUR", status: "open" });
    expect(await write(place, { object: "deals" }, deal)).toMatchObject([{ kind: "accepted" }]);
    expect(held(place, "deals")).toMatchObject([{ title: "Renewal", org_id: 1, value: 1200, status: "open" }]);
  });
});

describe("fields", () => {
  test("are named by their keys, under the titles that people gave them, and labels are the options", async () => {
    await using place = await company();
    const described = new Map((await place.connection.describe("persons", {})).fields.map((one) => [one.name, one]));
    expect(described.get(byAccount)).toMatchObject({
      title: "Account ID",
      type: "text",
      matches: true,
      maxLength: 255,
    });
    expect(described.get(fields.tier)).toMatchObject({
      title: "Tier",
      type: "enum",
      matches: false,
      options: ["Gold", "Silver"].map((label) => ({ value: label, title: label })),
    });
    expect(described.get("label_ids")?.options).toEqual([{ value: "Hot", title: "Hot" }]);
    expect(described.get("name")).toMatchObject({ required: true, matches: true });
    expect(described.has("picture_id")).toBe(false);
  });

  test("are all asked for, however many pages they have", async () => {
    const many = Array.from({ length: 1001 }, (_, n) => ({ field_code: key(1000 + n), field_name: `Field ${n}` }));
    await using place = await company({ deal_fields: many });
    const described = await place.connection.describe("deals", {});
    expect(described.fields.filter(({ title }) => title.startsWith("Field "))).toHaveLength(1001);
  });

  test("have options of one label by their ids", async () => {
    const options = [1, 2].map((id) => ({ id, label: "Same" }));
    const field = { field_code: fields.tier, field_name: "Tier", field_type: "enum", options };
    await using place = await company({ person_fields: [field] });
    const described = await place.connection.describe("persons", {});
    expect(described.fields.find(({ name }) => name === fields.tier)?.options?.map(({ value }) => value)).toEqual([
      "1",
      "2",
    ]);
  });
});

describe("removed rows", () => {
  test("are cleared of all but what finds and names the record", async () => {
    const seed = {
      persons: [{ ...ann, org_id: 1, custom_fields: { [fields.plan]: "pro" } }],
      organizations: [{ name: "Acme" }],
    };
    await using place = await company(seed);
    const record = { name: null, org_id: null, [fields.plan]: null, email: null };
    const outcomes = await write(place, { operation: "clear" }, change(1, { email: "ann@example.com" }, record));
    expect(outcomes).toMatchObject([{ kind: "accepted", destinationId: "1" }]);
    expect(held(place)).toMatchObject([
      { name: "Ann", org_id: null, emails: ann.emails, custom_fields: { [fields.plan]: null } },
    ]);
  });

  test("are deleted, again without a word, and made anew when they come back", async () => {
    await using place = await company({ persons: [ann] });
    const gone = change(1, { email: "ann@example.com" }, {}, { destinationId: "1" });
    for (let times = 0; times < 2; times += 1)
      expect(await write(place, { operation: "delete" }, gone)).toMatchObject([{ kind: "accepted" }]);
    expect(held(place)).toEqual([]);
    const back = change(1, { email: "ann@example.com" }, { name: "Ann" });
    expect(await write(place, {}, back)).toMatchObject([{ kind: "accepted", destinationId: "2" }]);
  });
});

describe("a record that is read before it is written", () => {
  const reading = {
    object: "persons",
    settings: {},
    operation: "upsert",
    match: ["email"],
    fields: ["phone", fields.tier],
    id: "batch",
  } as const;

  test("shows values as a mapping gives them, and none of whom there are two", async () => {
    const phones = ["1", "2"].map((value, at) => ({ value, label: "work", primary: at === 1 }));
    const known = { ...ann, phones, label_ids: [5], custom_fields: { [fields.tier]: 32, [fields.uses]: [42] } };
    const bo = { name: "Bo", emails: [{ value: "bo@x.example", label: "work", primary: true }] };
    await using place = await company({ persons: [known, bo, bo] });
    const changes = ["ann@example.com", "bo@x.example", "new@x.example"].map((email, seq) => change(seq, { email }));
    const asked = ["name", "phone", "emails", "label_ids", fields.tier, fields.uses, fields.plan];
    const read = await place.connection.read?.({ ...reading, changes }, asked);
    const values = { name: "Ann", phone: "2", emails: ann.emails, label_ids: ["Hot"], [fields.tier]: "Silver" };
    expect([...(read ?? [])]).toEqual([
      [0, { ...values, [fields.uses]: ["Voice"], [fields.plan]: null }],
      [2, null],
    ]);
  });

  test("is searched for once, and again at the next attempt", async () => {
    await using place = await company({ persons: [ann] });
    const changes = ["ann@example.com", "new@x.example"].map((email, seq) => change(seq, { email }, { name: "N" }));
    const searches = async (): Promise<number> =>
      (await place.asked()).filter(({ path }) => path.endsWith("/search")).length;
    await place.connection.read?.({ ...reading, changes }, ["phone"]);
    expect(kinds(await place.connection.write({ ...reading, changes }))).toEqual(
      [0, 1].map((seq) => [seq, "accepted"]),
    );
    expect(await searches()).toBe(2);
    expect(kinds(await place.connection.write({ ...reading, changes }))).toEqual(
      [0, 1].map((seq) => [seq, "accepted"]),
    );
    expect(await searches()).toBe(4);
    expect(held(place)).toHaveLength(2);
  });
});

test("update makes nothing, insert changes nothing", async () => {
  await using place = await company({ persons: [ann] });
  const there = change(1, { email: "ann@example.com" }, { name: "Anne" });
  const missing = change(2, { email: "bo@example.com" }, { name: "Bo" });
  expect(kinds(await write(place, { operation: "update" }, there, missing))).toEqual([
    [1, "accepted"],
    [2, "rejected"],
  ]);
  expect(await write(place, { operation: "insert" }, there, missing)).toMatchObject([
    { kind: "rejected", code: "already_there" },
    { kind: "accepted", destinationId: "2" },
  ]);
  expect(await write(place, { operation: "insert" }, missing)).toMatchObject([{ code: "already_there" }]);
  expect(held(place).map(({ name }) => name)).toEqual(["Anne", "Bo"]);
});

test("a later row of a batch that finds no room may leave the earlier one written", async () => {
  await using place = await company();
  await place.connection.describe("persons", {});
  await place.strike({ kind: "failure", name: "burst" }, { method: "POST", after: 1 });
  const changes = ["a", "b"].map((one, seq) => change(seq, { email: `${one}@x.example` }, { name: one }));
  expect(await failureOf(write(place, {}, ...changes))).toMatchObject({ kind: "busy", applied: "unknown" });
});

describe("a limit", () => {
  test.each([
    ["burst", { kind: "busy", code: "rate_limit", retryAfterMs: 2000 }],
    // Until some midnight that nobody is told.
    ["budget", { kind: "busy", code: "daily_budget", retryAfterMs: 3_600_000 }],
    // 403, as a page of Cloudflare's.
    ["shut_out", { kind: "busy", code: "shut_out", retryAfterMs: 300_000 }],
    ["limit_reached", { kind: "unauthorized", code: "err_deals_limit" }],
    ["account_closed", { kind: "unauthorized", code: "account_not_open", applied: "no" }],
  ])("is told from others by what Pipedrive says: %s", async (name, expected) => {
    await using place = await company();
    await place.strike({ kind: "failure", name });
    expect(await failureOf(place.connection.check())).toMatchObject(expected);
  });

  test.each<[Record<string, string>, number | undefined]>([
    [{ "x-ratelimit-reset": "1.5" }, 1500],
    [{ "x-ratelimit-reset": "soon" }, 2000],
    [{}, 2000],
    [{ "retry-after": "9", "x-ratelimit-reset": "1" }, undefined],
    [{ "x-daily-requests-left": "0" }, 3_600_000],
    [{ "x-daily-ratelimit-token-remaining": "12", "x-ratelimit-reset": "1" }, 1000],
  ])("is waited for as the account's own headers say: %j", (headers, expected) => {
    const body = JSON.stringify({ success: false, error: "request over limit" });
    const hint = pipedrive.failure?.({ status: 429, headers: new Headers(headers), body });
    expect(hint?.retryAfterMs).toBe(expected);
  });

  test.each<[Record<string, unknown>, number]>([
    [{}, 2400],
    [{ plan: "growth", seats: 5 }, 24_000],
    [{ plan: "ultimate", seats: 2 }, 33_600],
    [{ plan: "growth", daily_tokens: 100_000 }, 8000],
  ])("of the day is the plan's budget, in requests of a first load: %j", (more, requests) => {
    const config = pipedrive.connection.parse({ ...fixture.connection, ...more }) as PipedriveConfig;
    expect(pipedrive.limits(config)).toEqual([
      { name: "two seconds", requests: 20, perMs: 2000 },
      { name: "day", requests, perMs: 86_400_000 },
    ]);
  });

  test("is the sandbox's too: searches, requests, and a day's tokens", async () => {
    let now = Date.UTC(2026, 10, 30);
    const sandbox = createSandbox({ seed: { daily_tokens: 250 }, now: () => now });
    const search = {
      method: "GET",
      path: "/api/v2/persons/search",
      query: { term: "x", exact_match: "true", fields: "email" },
    };
    const ask = (): number => sandbox.handle({ ...search, headers: { "x-api-token": "t" }, body: null }).status;
    expect(Array.from({ length: 11 }, ask)).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
    now += 2001;
    expect([ask(), ask(), ask()]).toEqual([200, 200, 429]);
    now += 86_400_000;
    expect(ask()).toBe(200);
  });
});

describe("the connection", () => {
  const asked = async (more: Record<string, unknown>): Promise<readonly string[]> => {
    const urls: string[] = [];
    const fetch = async (url: string | URL): Promise<Response> => {
      urls.push(String(url));
      return Response.json({ success: true, data: { name: "A", company_name: "Acme" }, access_token: "t" });
    };
    const config = pipedrive.connection.parse({ company_domain: "acme", ...more }) as PipedriveConfig;
    expect((await pipedrive.connect(config, contextOf(fetch)).check()).account).toBe("Pipedrive, Acme (as A)");
    return urls;
  };

  test("goes to the company's own address, which nothing but a name can be part of", async () => {
    expect(await asked({ api_token: token })).toEqual(["https://acme.pipedrive.com/api/v1/users/me"]);
    for (const company_domain of ["acme.evil.example", "acme/", "acme.pipedrive.com", "a@b", ""])
      expect(pipedrive.connection.safeParse({ company_domain, api_token: token }).success).toBe(false);
  });

  test("takes an OAuth app's refresh token in place of a user's token, and not both", async () => {
    const app = { client_id: "app", client_secret: "app-secret", refresh_token: "app-refresh" };
    expect(await asked(app)).toEqual([
      "https://oauth.pipedrive.com/oauth/token",
      "https://acme.pipedrive.com/api/v1/users/me",
    ]);
    for (const wrong of [{}, { ...app, api_token: token }, { ...app, client_secret: undefined }])
      expect(pipedrive.connection.safeParse({ company_domain: "acme", ...wrong }).success).toBe(false);
    const served = await serveSandbox(createSandbox({ limits: false, seed: { tokens: [], clients: [app] } }));
    const config = pipedrive.connection.parse({ company_domain: "acme", ...app, base_url: served.url });
    const connected = pipedrive.connect(
      config as PipedriveConfig,
      contextOf((url, init) => fetch(url, init)),
    );
    expect(await connected.check()).toEqual({ account: "Pipedrive, Sandbox (as Sandy Box)" });
    await served.close();
  });
});

test("settings that mean nothing are refused", async () => {
  await using place = await company();
  const error = await failureOf(place.connection.describe("persons", { list: 5 }));
  expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
});
