import { describe, expect, test } from "vitest";
import customerio from "../../destinations/customerio/index.ts";
import createSandbox from "../../destinations/customerio/sandbox.ts";
import { type Batch, type Change, DestinationError, type DestinationRecord } from "../../src/destination.ts";
import { deliver, failureOf, kinds } from "./checks.ts";
import {
  account,
  answeredWith,
  appKey,
  batch,
  change,
  config,
  holding,
  people,
  personWith,
  reasonOf,
  seed,
  sent,
} from "./customerio.account.ts";
import fixture from "./customerio.fixture.ts";
import { openPlace } from "./place.ts";
import { contextOf } from "./context.ts";

describe("an answer", () => {
  const three = batch([1, 2, 3].map((seq) => change(seq, { id: `p${seq}` }, { timezone: "UTC" })));
  const told = async (answer: unknown, status = 207): Promise<(readonly [number, string])[]> =>
    kinds(await answeredWith(JSON.stringify(answer), status).write(three));
  const error = (index: number): unknown => ({ batch_index: index, reason: "invalid", field: "id", message: "wrong" });

  test("207 tells the bad rows by their index among what was sent, not among the changes", async () => {
    await using place = await account();
    const changes = [
      change(1, { id: " " }, { timezone: "UTC" }),
      change(2, { id: "p2" }, { email: "none" }),
      change(3, { id: "p3" }, { email: "three@example.com" }),
      change(4, { id: "p4" }, { email: "x".repeat(1001) }),
      change(5, { id: "p5" }, { email: "also none" }),
    ];
    const outcomes = await place.connection.write(batch(changes));
    expect(kinds(outcomes).map(([, kind]) => kind)).toEqual([
      "rejected",
      "rejected",
      "accepted",
      "rejected",
      "rejected",
    ]);
    expect(reasonOf(outcomes, 1)).toEqual({ code: "identifier_missing", field: "id" });
    expect(reasonOf(outcomes, 2)).toEqual({ code: "invalid", field: "attributes.email" });
    expect(reasonOf(outcomes, 4)).toEqual({ code: "too_long", field: "email" });
    expect(personWith(place, "p3")).toMatchObject({ email: "three@example.com" });
    expect((await place.asked()).at(-1)).toMatchObject({ status: 207 });
  });

  test("in any order, with several errors of one row, is read by index; the first is told", async () => {
    const second = { batch_index: 2, reason: "required", field: "email", message: "also wrong" };
    const answer = { errors: [error(2), error(0), second] };
    const outcomes = await answeredWith(JSON.stringify(answer), 207).write(three);
    expect(kinds(outcomes)).toEqual([
      [1, "rejected"],
      [2, "accepted"],
      [3, "rejected"],
    ]);
    expect(reasonOf(outcomes, 3)).toEqual({ code: "invalid", field: "id" });
  });

  test("that refuses a row without saying which leaves all others in doubt", async () => {
    for (const nameless of [{ reason: "invalid" }, { batch_index: "1" }, error(3), error(-1)]) {
      expect(await told({ errors: [error(0), nameless] })).toEqual([
        [1, "rejected"],
        [2, "in_doubt"],
        [3, "in_doubt"],
      ]);
    }
    for (const nothing of [{ errors: [] }, {}])
      expect((await told(nothing)).map(([, kind]) => kind)).toEqual(["in_doubt", "in_doubt", "in_doubt"]);
  });

  test("200 is success with an empty object or no body, and never with errors in it", async () => {
    for (const text of ["{}", ""])
      expect(kinds(await answeredWith(text).write(three)).map(([, kind]) => kind)).toEqual(Array(3).fill("accepted"));
    expect((await told({ errors: [error(1)] }, 200)).map(([, kind]) => kind)).toEqual([
      "accepted",
      "rejected",
      "accepted",
    ]);
  });

  test("that is not Customer.io's is unavailable: nobody knows what was taken in", async () => {
    for (const [text, status] of [
      ["<html>Bad gateway</html>", 200],
      ["[]", 200],
      ['"queued"', 200],
      ['{"status":"queued"}', 200],
      ["null", 202],
      ["{}", 202],
      ['{"errors":1}', 207],
    ] as const)
      expect(await failureOf(answeredWith(text, status).write(three))).toMatchObject({
        kind: "unavailable",
        applied: "unknown",
        code: text.startsWith("<") ? "not_json" : "unknown_answer",
      });
  });

  test("400 refuses the whole batch in the vendor's words, and 404 says that the address is wrong", async () => {
    const required = { errors: [{ reason: "required", field: "batch", message: "is required" }] };
    expect(await failureOf(answeredWith(JSON.stringify(required), 400).write(three))).toMatchObject({
      kind: "refused",
      applied: "no",
      code: "required",
      field: "batch",
    });
    expect(await failureOf(answeredWith("", 400).write(three))).toMatchObject({ kind: "refused", code: "http_400" });
    for (const body of ["", "<html>Not found</html>"])
      expect(await failureOf(answeredWith(body, 404).write(three))).toMatchObject({ kind: "unauthorized" });
  });

  test("is never met with anything but a classified error", async () => {
    for (const text of ["", "<html>", "null", '"text"', "[]", "{}", '{"segments":1}', '{"identifiers":[{}]}']) {
      const connection = customerio.connect(
        config,
        contextOf(async () => new Response(text)),
      );
      const asked = [
        connection.check(),
        connection.objects(),
        connection.describe("companies", {}),
        connection.describe("segment_members", { segment: "S" }),
        connection.write(three),
        connection.write({ ...three, object: "segment_members", settings: { segment: "S" } }),
      ];
      for (const ended of await Promise.allSettled(asked))
        if (ended.status === "rejected") expect([text, ended.reason]).toEqual([text, expect.any(DestinationError)]);
    }
  });
});

describe("what Customer.io would refuse or drop is rejected before it is sent", () => {
  const id = { id: "p" };
  const many = Object.fromEntries(Array.from({ length: 301 }, (_, at) => [`a${at}`, at]));
  const wide = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`a${at}`, "x".repeat(990)]));
  const upserted: Partial<Batch> = {};
  const byPhone: Partial<Batch> = { match: ["phone"] };
  const byEmail: Partial<Batch> = { match: ["email"] };
  const ofCompanies: Partial<Batch> = { object: "companies", match: ["object_id"] };
  const cases: readonly (readonly [of: string, code: string, change: Change, more: Partial<Batch>])[] = [
    ["a value of 1001 bytes", "too_long", change(1, id, { attributes: { a: "x".repeat(1001) } }), upserted],
    ["a value of 1001 bytes in fewer characters", "too_long", change(1, id, { timezone: "ü".repeat(501) }), upserted],
    ["JSON of more than 1000 bytes", "too_long", change(1, id, { attributes: { a: [["x".repeat(998)]] } }), upserted],
    ["a name of 151 bytes", "name_too_long", change(1, id, { attributes: { ["x".repeat(151)]: 1 } }), upserted],
    ["an empty name", "name_empty", change(1, id, { attributes: { "": 1 } }), upserted],
    ["301 attributes", "too_many_attributes", change(1, id, { attributes: many }), upserted],
    ["32 KB", "too_large", change(1, id, { attributes: wide }), upserted],
    ["an ID of 151 bytes", "too_long", change(1, { id: "x".repeat(151) }), upserted],
    ["a blank ID", "identifier_missing", change(1, { id: " " }), upserted],
    ["a phone number without its country", "not_e164", change(1, { phone: "030 123" }), byPhone],
    ["a blank address", "identifier_missing", change(1, id, { email: " " }), upserted],
    ["an identifier that is cleared", "cannot_clear", change(1, id, { email: null }), upserted],
    ["another ID than that which finds the person", "identifier_differs", change(1, id, { id: "q" }), upserted],
    ["another object ID", "identifier_differs", change(1, { object_id: "a" }, { object_id: "b" }), ofCompanies],
    ["an ID among the attributes", "reserved_name", change(1, id, { attributes: { id: "q" } }), upserted],
    ["a switch among the attributes", "reserved_name", change(1, id, { attributes: { _update: true } }), upserted],
    [
      "one attribute twice",
      "attribute_twice",
      change(1, id, { timezone: "a", attributes: { timezone: "b" } }),
      upserted,
    ],
    ["attributes that are a list", "not_an_object", change(1, id, { attributes: ["vip"] }), upserted],
    ["attributes that are null", "cannot_clear", change(1, id, { attributes: null }), upserted],
    ["a time that is none", "not_a_date", change(1, { email: "a@b.c" }, { created_at: "soon" }), byEmail],
  ];
  test.each(cases)("%s: %s", async (_of, code, bad, more) => {
    await using place = await account();
    const outcomes = await place.connection.write(batch([bad], more));
    expect(outcomes).toMatchObject([{ seq: 1, kind: "rejected", code }]);
    expect(await sent(place)).toEqual([]);
  });

  test("what is just within the limits is sent and taken", async () => {
    await using place = await account();
    const full = { ...Object.fromEntries(Object.entries(many).slice(0, 299)), ["x".repeat(150)]: "y".repeat(1000) };
    const outcomes = await place.connection.write(batch([change(1, { id: "x".repeat(150) }, { attributes: full })]));
    expect(kinds(outcomes)).toEqual([[1, "accepted"]]);
    expect(Object.keys(personWith(place, "x".repeat(150)) ?? {})).toHaveLength(301);
  });

  test("a request over 500 KB is never sent, and halved it is taken", async () => {
    await using place = await account({ people: [] });
    const changes = Array.from({ length: 20 }, (_, seq) =>
      change(seq, { id: `p${seq}` }, { attributes: some(wide, 30) }),
    );
    const large = batch(changes);
    expect(await failureOf(place.connection.write(large))).toMatchObject({
      kind: "refused",
      code: "request_too_large",
    });
    expect(await sent(place)).toEqual([]);
    expect(kinds(await deliver(place, large)).every(([, kind]) => kind === "accepted")).toBe(true);
    expect(holding(place, "people")).toHaveLength(20);
  });

  test("a full batch of the largest rows that are asked for fits a request", async () => {
    await using place = await account();
    const { batch: limit } = await place.connection.describe("people", {});
    const each = Math.floor((limit.bytes ?? 0) / limit.records);
    const changes = Array.from({ length: limit.records }, (_, seq) => {
      const match = { id: `p${seq}` };
      const rest = each - JSON.stringify(match).length - '{"timezone":""}'.length;
      return change(seq, match, { timezone: "x".repeat(rest) });
    });
    expect((await place.connection.write(batch(changes))).every(({ kind }) => kind === "accepted")).toBe(true);
  });
});

function some(values: DestinationRecord, count: number): DestinationRecord {
  return Object.fromEntries(Object.entries(values).slice(0, count));
}

describe("a person", () => {
  test("has points in time as Unix seconds where the settings name them, and other text as it is", async () => {
    await using place = await account();
    const settings = { datetimes: ["trial_ends_at"] };
    const { fields } = await place.connection.describe("people", settings);
    expect(fields.find(({ name }) => name === "attributes.trial_ends_at")).toMatchObject({ type: "datetime" });
    const record = {
      created_at: "2026-11-23T09:30:00.900000Z",
      "attributes.trial_ends_at": "1969-12-31T23:59:59.500000Z",
      attributes: { renewed_at: "2026-11-23T09:30:00Z" },
    };
    await place.connection.write(batch([change(1, { id: "9" }, record)], { settings }));
    expect(personWith(place, "9")).toEqual({
      id: "9",
      created_at: 1_795_426_200,
      trial_ends_at: -1,
      renewed_at: "2026-11-23T09:30:00Z",
    });
  });

  test("is sent with the time of the request, so that an older update never wins", async () => {
    await using place = await account();
    const before = Math.floor(Date.now() / 1000);
    await place.connection.write(batch([change(1, { id: "9" }, { timezone: "UTC" })]));
    const [{ batch: items = [] } = {}] = (await sent(place)) as { batch?: { timestamp: number }[] }[];
    expect(items[0]?.timestamp).toBeGreaterThanOrEqual(before);
    expect(items[0]?.timestamp).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test("whose value is null has it cleared by empty text, which clears everywhere", async () => {
    await using place = await account();
    await place.connection.write(batch([change(1, { id: "1" }, { timezone: null, attributes: { plan: null } })]));
    expect(await sent(place)).toMatchObject([{ batch: [{ attributes: { timezone: "", plan: "" } }] }]);
  });

  test("gets an identifier that it has not, and one e-mail address in any case is one person", async () => {
    await using place = await account({ people: [{ email: "Ann@example.com" }] });
    const byEmail = batch([change(1, { email: "ann@example.com" }, { id: "1", timezone: "UTC" })], {
      match: ["email"],
    });
    await place.connection.write(byEmail);
    await place.connection.write(batch([change(1, { id: "1" }, { email: "ann@example.com", unsubscribed: false })]));
    expect(holding(place, "people")).toEqual([
      { id: "1", email: "ann@example.com", timezone: "UTC", unsubscribed: false },
    ]);
    expect(place.connection.ignoresCase?.("people", {}, "email")).toBe(true);
    expect(place.connection.ignoresCase?.("people", {}, "id")).toBe(false);
  });

  test("that is cleared loses what was mapped, keeps its identifiers, and is not made again when it is gone", async () => {
    await using place = await account();
    const record = { email: "ann@example.com", timezone: "UTC", attributes: { plan: "pro", seats: 3 } };
    await place.connection.write(batch([change(1, { id: "1" }, record)]));
    const nulls = { email: null, timezone: null, attributes: { plan: null } };
    const clearing = batch(
      ["1", "gone"].map((id, seq) => change(seq, { id }, nulls)),
      { operation: "clear" },
    );
    expect(kinds(await place.connection.write(clearing)).map(([, kind]) => kind)).toEqual(["accepted", "accepted"]);
    expect(personWith(place, "1")).toEqual({ id: "1", email: "ann@example.com", seats: 3 });
    expect(personWith(place, "gone")).toBe(undefined);
  });

  test("whose update would have to be silent, or inserted only, is refused by the name of the operation", async () => {
    await using place = await account();
    const { modes, removals } = await place.connection.describe("people", {});
    expect([modes, removals]).toEqual([
      ["upsert", "mirror"],
      ["delete", "clear"],
    ]);
    for (const operation of ["update", "insert", "append", "archive"] as const) {
      const one = batch([change(1, { id: "1" })], { operation });
      expect(await failureOf(place.connection.write(one))).toMatchObject({ code: "operation_unsupported" });
    }
  });
});

describe("a connection", () => {
  test("to the other region is refused before anything is sent there", async () => {
    await using place = await account({ region: "eu" });
    const wrong = place.connection;
    for (const asked of [wrong.check(), wrong.describe("people", {}), wrong.write(batch([change(1, { id: "1" })]))])
      expect(await failureOf(asked)).toMatchObject({ kind: "unauthorized", code: "wrong_region", applied: "no" });
    expect(await sent(place)).toEqual([]);
    expect((await place.connect({ region: "eu" }).check()).account).toContain("100001");
  });

  test("goes to the region's hosts, or below base_url", async () => {
    const asked: string[] = [];
    const fetch = async (url: string | URL): Promise<Response> => {
      asked.push(String(url));
      return Response.json(String(url).endsWith("object_types") ? { types: [] } : {});
    };
    for (const more of [
      {},
      { region: "eu" },
      { base_url: "http://127.0.0.1:1/cio" },
      { base_url: "http://127.0.0.1:1", app_base_url: "http://127.0.0.1:2" },
    ]) {
      const given = customerio.connection.parse({ ...fixture.connection, app_api_key: appKey, ...more }) as never;
      await customerio.connect(given, contextOf(fetch)).check();
    }
    expect(asked).toEqual([
      "https://track.customer.io/api/v1/accounts/region",
      "https://api.customer.io/v1/object_types",
      "https://track-eu.customer.io/api/v1/accounts/region",
      "https://api-eu.customer.io/v1/object_types",
      "http://127.0.0.1:1/cio/api/v1/accounts/region",
      "http://127.0.0.1:1/cio/v1/object_types",
      "http://127.0.0.1:1/api/v1/accounts/region",
      "http://127.0.0.1:2/v1/object_types",
    ]);
  });

  test("with a refused App API key is unauthorized", async () => {
    await using place = await account();
    const error = await failureOf(place.connect({ app_api_key: "another" }).check());
    expect(error).toMatchObject({ kind: "unauthorized", code: "invalid_credentials" });
  });

  test("waits as the App API asks, which the Track API never does", async () => {
    await using place = await account();
    await place.strike({ kind: "failure", name: "app_limit" }, { path: "/v1/object_types" });
    expect(await failureOf(place.connection.objects())).toMatchObject({ kind: "busy", retryAfterMs: 1000 });
    await place.calm();
    await place.strike({ kind: "failure", name: "track_limit" }, { path: "/api/v2/batch" });
    const error = await failureOf(place.connection.write(batch([change(1, { id: "1" })])));
    expect(error).toMatchObject({ kind: "busy", code: "rate_limited", retryAfterMs: undefined });
  });

  test("meets the App API's limit of ten requests a second", async () => {
    if (!people) throw new Error("the fixture has no people");
    const given = { ...fixture, connection: { ...fixture.connection, app_api_key: appKey }, seed };
    const sandbox = { limits: true, now: () => 0 };
    await using place = await openPlace({
      adapter: customerio,
      createSandbox,
      fixture: given,
      object: people,
      sandbox,
    });
    for (let times = 0; times < 10; times += 1) await place.connection.check();
    expect(await failureOf(place.connection.check())).toMatchObject({ kind: "busy", status: 429, retryAfterMs: 1000 });
  });

  test("keeps to the lower limit when it asks the App API too", () => {
    const limit = (more: Readonly<Record<string, unknown>>): unknown =>
      customerio.limits(customerio.connection.parse({ ...fixture.connection, ...more }) as never)[0]?.requests;
    expect([limit({}), limit({ requests_per_second: 1000 }), limit({ app_api_key: appKey })]).toEqual([100, 1000, 10]);
  });
});
