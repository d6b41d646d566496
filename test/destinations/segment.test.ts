import { describe, expect, test } from "vitest";
import segment from "../../destinations/segment/index.ts";
import createSandbox from "../../destinations/segment/sandbox.ts";
import {
  type Batch,
  type Change,
  type Connection,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import { deliver, failureOf, kinds } from "./checks.ts";
import fixture from "./segment.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

const [identify] = fixture.objects;
const writeKey = String(fixture.connection["write_key"]);
const others = { europe: "EuWk7suiteDmBXIN4JnwqBnTqXccTF0w", disabled: "OffWk7suiteDmBXIN4JnwqBnTqXccTF0" };
const seed = {
  sources: [
    { write_key: writeKey },
    { write_key: others.europe, region: "eu" },
    { write_key: others.disabled, enabled: false },
  ],
};

async function account(): Promise<Place> {
  if (!identify) throw new Error("the fixture has no identify");
  return openPlace({ adapter: segment, createSandbox, fixture: { ...fixture, seed }, object: identify });
}

function change(
  seq: number,
  match: DestinationRecord,
  record: DestinationRecord = {},
  more: Partial<Change> = {},
): Change {
  return { seq, match, record, destinationId: undefined, renamed: false, ...more };
}

/** Users by user ID, unless it says otherwise. */
function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  const base = {
    object: "identify",
    settings: {},
    operation: "upsert",
    fields,
    match: ["userId"],
    id: "run-1",
  } as const;
  return { ...base, changes, ...more };
}

const groups = { object: "group", match: ["groupId"] } as const;
const events = { object: "track", operation: "append", match: ["eventId"], settings: { event: "Paid" } } as const;

interface Sent extends Readonly<Record<string, unknown>> {
  readonly messageId: string;
  readonly context: { readonly library: { readonly name: string } };
}

/** The events of all batches that Segment was sent. */
async function sent(place: Place): Promise<readonly Sent[]> {
  const asked = await place.asked();
  return asked.flatMap(({ path, requestBody }) =>
    path === "/v1/batch" ? (requestBody as { batch: readonly Sent[] }).batch : [],
  );
}

const batchesSent = async (place: Place): Promise<number> =>
  (await place.asked()).filter(({ path }) => path === "/v1/batch").length;
const dropped = (place: Place): readonly unknown[] => Object.values(place.contents()["dropped"] ?? {});
const reasonOf = (outcomes: readonly Outcome[], seq = 1): unknown => {
  const found = outcomes.find((one) => one.seq === seq);
  return found?.kind === "rejected" ? { code: found.code, field: found.field } : found;
};

const config = segment.connection.parse({ write_key: writeKey, verify_write_key: false }) as never;

/** A connection to a Segment that answers everything alike, in its own or another's words. */
function answeredWith(text: string, status = 200): Connection {
  return segment.connect(
    config,
    contextOf(async () => new Response(text, { status })),
  );
}

describe("a row that Segment would drop without a word is rejected before it is sent", () => {
  const long = "x".repeat(40_000);
  const many = Object.fromEntries(Array.from({ length: 301 }, (_, at) => [`trait${at}`, at]));
  const user = { userId: "u" };
  const cases: readonly (readonly [of: string, code: string, change: Change, more: Partial<Batch>])[] = [
    ["32 KB", "too_large", change(1, user, { traits: { long } }), {}],
    ["32 KB in bytes", "too_large", change(1, user, { traits: { umlauts: "ü".repeat(16_000) } }), {}],
    ["300 traits", "too_many_values", change(1, user, { traits: many }), {}],
    ["300 traits of a group", "too_many_values", change(1, { groupId: "g" }, { traits: many }), groups],
    ["300 properties", "too_many_values", change(1, { eventId: "e" }, { ...user, properties: many }), events],
    ["traits that are a list", "not_an_object", change(1, user, { traits: ["vip"] }), {}],
    ["traits that are text", "not_an_object", change(1, user, { traits: "vip" }), {}],
    ["a time before 1970", "timestamp_too_old", change(1, user, { timestamp: "1969-12-31T23:59:59.9Z" }), {}],
    ["no user", "user_missing", change(1, { eventId: "e" }, { "properties.value": 1 }), events],
    ["a user of blanks", "user_missing", change(1, { eventId: "e" }, { userId: " ", anonymousId: "" }), events],
    ["a group of blanks", "group_missing", change(1, { groupId: " " }), groups],
    ["no name of the event", "event_missing", change(1, { eventId: "e" }, user), { ...events, settings: {} }],
    ["an empty name of the event", "event_missing", change(1, {}, { ...user, event: "" }), { ...events, settings: {} }],
  ];
  test.each(cases)("%s: %s", async (_of, code, bad, more) => {
    await using place = await account();
    const outcomes = await place.connection.write(batch([bad], more));
    expect(outcomes).toMatchObject([{ seq: 1, kind: "rejected", code }]);
    expect(await batchesSent(place)).toBe(0);
  });

  test("alone, and the others are sent", async () => {
    await using place = await account();
    const changes = [1, 2, 3].map((seq) =>
      change(seq, { userId: `u${seq}` }, { "traits.plan": seq === 2 ? long : "pro" }),
    );
    expect(kinds(await place.connection.write(batch(changes)))).toEqual([
      [1, "accepted"],
      [2, "rejected"],
      [3, "accepted"],
    ]);
    expect(place.contents()["users"]).toEqual({ u1: { plan: "pro" }, u3: { plan: "pro" } });
    expect(dropped(place)).toEqual([]);
  });
});

describe("the size of an event", () => {
  test("is never counted as less than what is sent", async () => {
    await using place = await account();
    // The largest that is still taken, found by trying: not one of them may be dropped.
    for (let length = 31_000; length < 32_000; length += 20) {
      const rows = [
        batch([change(1, { userId: "u" }, { "traits.name": "x".repeat(length) })]),
        batch([change(1, { groupId: "g" }, { "traits.name": "x".repeat(length), anonymousId: "a" })], groups),
        batch([change(1, { eventId: "e" }, { userId: "u", "properties.name": "x".repeat(length) })], events),
      ];
      for (const row of rows) await place.connection.write({ ...row, id: `run-${length}` });
    }
    const sizes = (await sent(place)).map((event) => Buffer.byteLength(JSON.stringify(event)));
    expect(Math.max(...sizes)).toBeGreaterThan(31_800);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32_000);
    expect(dropped(place)).toEqual([]);
  });

  test("is counted for a request too: more than 500 KB is halved by the service, and nothing is lost", async () => {
    await using place = await account();
    const changes = Array.from({ length: 40 }, (_, seq) =>
      change(seq, { userId: `u${seq}` }, { "traits.note": `${seq} ${"ü".repeat(10_000)}` }),
    );
    expect(await failureOf(place.connection.write(batch(changes)))).toMatchObject({
      kind: "refused",
      code: "request_too_large",
      applied: "no",
    });
    expect(await batchesSent(place)).toBe(0);
    const outcomes = await deliver(place, batch(changes));
    expect(outcomes.filter(({ kind }) => kind === "accepted")).toHaveLength(40);
    expect(Object.keys(place.contents()["users"] ?? {})).toHaveLength(40);
  });

  test("of the fullest batch that the service makes fits into one request", async () => {
    await using place = await account();
    const { batch: limit } = await place.connection.describe("identify", {});
    const bytes = Math.floor((limit.bytes ?? 0) / limit.records);
    const changes = Array.from({ length: limit.records }, (_, seq) => {
      const match = { userId: `user-${seq}` };
      const note = "x".repeat(bytes - JSON.stringify({ "traits.note": "", ...match }).length - 2);
      return change(seq, match, { "traits.note": note });
    });
    await place.connection.write(batch(changes));
    expect(await batchesSent(place)).toBe(1);
    expect(Object.keys(place.contents()["users"] ?? {})).toHaveLength(limit.records);
  });
});

describe("an answer", () => {
  const two = batch([change(1, { userId: "a" }), change(2, { userId: "b" })]);

  test("that says success is about all that its request carried", async () => {
    expect(kinds(await answeredWith('{"success":true}').write(two))).toEqual([
      [1, "accepted"],
      [2, "accepted"],
    ]);
  });

  test("with a status of success that does not say so leaves all in doubt", async () => {
    for (const text of ["{}", '{"success":false}', '{"success":"true"}', '{"results":[]}'])
      expect([text, kinds(await answeredWith(text).write(two))]).toEqual([
        text,
        [
          [1, "in_doubt"],
          [2, "in_doubt"],
        ],
      ]);
  });

  test("that is not Segment's is unavailable: nobody knows what was applied", async () => {
    for (const text of ["", "<html>Bad gateway</html>", "null", '"text"', "[]", "ok"])
      expect(await failureOf(answeredWith(text).write(two))).toMatchObject({ kind: "unavailable", applied: "unknown" });
  });

  test("that refuses the request whole is refused, with Segment's words", async () => {
    const error = await failureOf(answeredWith('{"success":false,"message":"malformed JSON"}', 400).write(two));
    expect(error).toMatchObject({ kind: "refused", code: "http_400", applied: "no", message: "malformed JSON" });
  });

  test("that no smaller batch would change stops the run", async () => {
    const wrongKey = answeredWith('{"success":false,"message":"An invalid write key was provided"}', 400);
    expect(await failureOf(wrongKey.write(two))).toMatchObject({ kind: "unauthorized", code: "write_key_invalid" });
    const elsewhere = answeredWith("<html>Not found</html>", 404);
    expect(await failureOf(elsewhere.write(two))).toMatchObject({ kind: "unauthorized", code: "api_not_found" });
  });

  test("is never met with anything but a classified error", async () => {
    for (const text of ["", "<html>", "null", '"text"', "[]", "{}", '{"integrations":1}', '{"success":1}']) {
      for (const status of [200, 400, 404, 418]) {
        const connection = answeredWith(text, status);
        const asked = [connection.check(), connection.describe("track", {}), connection.write(two)];
        for (const ended of await Promise.allSettled(asked))
          if (ended.status === "rejected") expect([text, ended.reason]).toEqual([text, expect.any(DestinationError)]);
      }
    }
  });
});

describe("Segment's own client", () => {
  const rows = (count: number): Batch =>
    batch(Array.from({ length: count }, (_, seq) => change(seq, { userId: `u${seq}` }, { "traits.plan": "pro" })));

  test("makes one request of a batch, whatever its size, and at once", async () => {
    await using place = await account();
    await place.connection.check();
    for (const count of [1, 15, 16, 500]) {
      const before = await batchesSent(place);
      const began = performance.now();
      await place.connection.write(rows(count));
      expect(performance.now() - began).toBeLessThan(4000);
      expect(await batchesSent(place)).toBe(before + 1);
    }
    const [first] = await sent(place);
    expect(first?.context.library.name).toBe("@segment/analytics-node");
  });

  test("tries nothing again: that is the service's to do", async () => {
    await using place = await account();
    await place.connection.check();
    const faults = [
      { kind: "status", status: 500 },
      { kind: "status", status: 429, headers: { "retry-after": "30" } },
      { kind: "status", status: 408 },
      { kind: "drop_before" },
      { kind: "failure", name: "gateway_502" },
    ] as const;
    for (const fault of faults) {
      const before = await batchesSent(place);
      await place.strike(fault, { path: "/v1/batch" });
      await failureOf(place.connection.write(rows(3)));
      await place.calm();
      expect((await batchesSent(place)) - before).toBe(1);
    }
    expect(kinds(await place.connection.write(rows(3))).map(([, kind]) => kind)).toEqual(Array(3).fill("accepted"));
  });

  test("is gone with its batch: no timer of it keeps a process from ending", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    await answeredWith('{"success":true}').write(rows(20));
    await failureOf(answeredWith("", 400).write(rows(20)));
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test("keeps batches that are under way at the same time apart", async () => {
    await using place = await account();
    await place.strike({ kind: "status", status: 500 }, { path: "/v1/batch", times: 1 });
    const writes = Array.from({ length: 5 }, (_, at) =>
      place.connection.write(batch([change(at, { userId: `u${at}` }, { "traits.plan": "pro" })])),
    );
    const ended = await Promise.allSettled(writes);
    expect(ended.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(Object.keys(place.contents()["users"] ?? {})).toHaveLength(4);
  });

  test("sends below a base_url's own path", async () => {
    await using place = await account();
    const connection = place.connect({ base_url: `${place.url}/proxy/`, verify_write_key: false });
    expect(await failureOf(connection.write(rows(1)))).toMatchObject({ code: "api_not_found" });
    expect((await place.asked()).at(-1)?.path).toBe("/proxy/v1/batch");
  });
});

describe("a write key", () => {
  const one = batch([change(1, { userId: "u" }, { "traits.plan": "pro" })]);

  test("that Segment does not know is refused before a row is sent, by check, describe and write", async () => {
    await using place = await account();
    for (const write_key of [String(fixture.refusedCredential["write_key"]), others.disabled]) {
      const connection = place.connect({ write_key });
      for (const asked of [connection.check(), connection.describe("identify", {}), connection.write(one)])
        expect(await failureOf(asked)).toMatchObject({
          kind: "unauthorized",
          code: "write_key_unknown",
          applied: "no",
        });
    }
    expect(await batchesSent(place)).toBe(0);
  });

  test("that is not looked at is taken with 200, and what is sent with it is lost", async () => {
    await using place = await account();
    const connection = place.connect({ write_key: "UnknownDmBXIN4JnwqBnTqXccTF0wBnL", verify_write_key: false });
    expect(kinds(await connection.write(one))).toEqual([[1, "accepted"]]);
    expect(dropped(place)).toMatchObject([{ dropped: "project_not_found" }]);
  });

  test("of another region is refused before a row is sent", async () => {
    await using place = await account();
    const wrong = place.connect({ write_key: others.europe });
    for (const asked of [wrong.check(), wrong.write(one)])
      expect(await failureOf(asked)).toMatchObject({ kind: "unauthorized", code: "wrong_region" });
    const right = place.connect({ write_key: others.europe, region: "eu" });
    expect((await right.check()).account).toContain("eu");
    expect(kinds(await right.write(one))).toEqual([[1, "accepted"]]);
  });

  test("is looked at once a connection, and again after a failure", async () => {
    await using place = await account();
    const looks = async (): Promise<number> =>
      (await place.asked()).filter(({ path }) => path.endsWith("/settings")).length;
    await place.strike({ kind: "status", status: 503 }, { path: "/settings", times: 1 });
    expect(await failureOf(place.connection.write(one))).toMatchObject({ kind: "unavailable", applied: "no" });
    for (let times = 0; times < 3; times += 1) await place.connection.write(one);
    expect(await looks()).toBe(2);
  });

  test("goes to the region's own hosts", async () => {
    const asked: string[] = [];
    const fetch = async (url: string | URL): Promise<Response> => {
      asked.push(new URL(url).host);
      return Response.json({ success: true, integrations: {} });
    };
    for (const region of ["us", "eu"])
      await segment
        .connect(segment.connection.parse({ write_key: writeKey, region }) as never, contextOf(fetch))
        .write(one);
    const settings = "cdn-settings.segment.com";
    expect(asked).toEqual([settings, "api.segment.io", settings, "events.eu1.segmentapis.com"]);
  });
});

describe("a message id", () => {
  const paid = (id: string, more: Partial<Batch> = {}): Batch =>
    batch([change(1, { eventId: id }, { userId: "u", "properties.value": 5 })], { ...events, ...more });
  const recorded = (place: Place): readonly unknown[] => Object.values(place.contents()["events"] ?? {});

  test("is the same for every attempt at a batch, so that a repeat is de-duplicated", async () => {
    await using place = await account();
    const unnamed = batch([change(1, {}, { userId: "u", "properties.value": 5 })], { ...events, match: [] });
    await place.strike({ kind: "drop_after" }, { path: "/v1/batch", times: 1 });
    expect(await failureOf(place.connection.write(unnamed))).toMatchObject({ applied: "unknown" });
    expect(kinds(await place.connection.write(unnamed))).toEqual([[1, "accepted"]]);
    expect(recorded(place)).toHaveLength(1);
  });

  test("of a row's own event ID is the same in every run, so that a row in doubt is no second event", async () => {
    await using place = await account();
    await place.strike({ kind: "drop_after" }, { path: "/v1/batch", times: 1 });
    await failureOf(place.connection.write(paid("order-1", { id: "run-1" })));
    await place.connection.write(paid("order-1", { id: "run-2" }));
    expect(recorded(place)).toMatchObject([{ event: "Paid", person: "u", properties: { value: 5 } }]);
  });

  test("tells two events of one order apart by their names", async () => {
    await using place = await account();
    await place.connection.write(paid("order-1"));
    await place.connection.write(paid("order-1", { settings: { event: "Refunded" } }));
    expect(recorded(place)).toMatchObject([{ event: "Paid" }, { event: "Refunded" }]);
  });

  test("of a profile is another in another run: what goes back to an old value is not dropped as a repeat", async () => {
    await using place = await account();
    for (const [run, plan] of ["free", "pro", "free"].entries())
      await place.connection.write(batch([change(1, { userId: "u" }, { "traits.plan": plan })], { id: `run-${run}` }));
    expect(place.contents()["users"]).toEqual({ u: { plan: "free" } });
  });

  test("tells events without an ID apart, also where they are alike", async () => {
    await using place = await account();
    const alike = [1, 2].map((seq) => change(seq, {}, { userId: "u", event: "Seen" }));
    await place.connection.write(batch(alike, { ...events, match: [], settings: {} }));
    expect(recorded(place)).toHaveLength(2);
  });

  test("has less than 100 characters, however long the row's own is", async () => {
    await using place = await account();
    await place.connection.write(paid("e".repeat(5000)));
    const [event] = await sent(place);
    expect(event?.messageId.length).toBeLessThan(100);
    expect(recorded(place)).toHaveLength(1);
  });
});

describe("traits and properties", () => {
  test("are written one by one, by Segment's names, nested or as a whole", async () => {
    await using place = await account();
    const written: readonly DestinationRecord[] = [
      { "traits.email": "a@example.com", "traits.age": 7, traits: { plan: "pro", usage: { seats: 3 } } },
      { traits: { plan: "pro", tags: ["a", "b"], vip: true } },
      { "traits.company": { name: "Initech" }, timestamp: "2026-11-23T09:30:00.123456Z" },
    ];
    const changes = written.map((record, seq) => change(seq, { userId: `u${seq}` }, record));
    await place.connection.write(batch(changes));
    expect(place.contents()["users"]).toEqual({
      u0: { email: "a@example.com", age: 7, plan: "pro", usage: { seats: 3 } },
      u1: { plan: "pro", tags: ["a", "b"], vip: true },
      u2: { company: { name: "Initech" } },
    });
    expect((await sent(place)).map(({ timestamp }) => timestamp)[2]).toBe("2026-11-23T09:30:00.123Z");
  });

  test("that are null are sent as null, which clears them; all at once cannot be", async () => {
    await using place = await account();
    const record = { "traits.email": "a@example.com", traits: { plan: "pro", usage: { seats: 3 } } };
    await place.connection.write(batch([change(1, { userId: "u" }, record)]));
    const nulls = { "traits.email": null, traits: { plan: null } };
    await place.connection.write(batch([change(1, { userId: "u" }, nulls)]));
    expect((await sent(place)).at(-1)).toMatchObject({ traits: { email: null, plan: null } });
    expect(place.contents()["users"]).toEqual({ u: { usage: { seats: 3 } } });
    const outcomes = await place.connection.write(batch([change(1, { userId: "u" }, { traits: null })]));
    expect(reasonOf(outcomes)).toEqual({ code: "cannot_clear", field: "traits" });
  });

  test("of a removed row are cleared, nested ones too, and the profile stays", async () => {
    await using place = await account();
    const record = { "traits.email": "a@example.com", traits: { plan: "pro", theirs: "kept" } };
    await place.connection.write(batch([change(1, { userId: "u" }, record)]));
    const cleared = { "traits.email": null, "traits.plan": null, "traits.usage.seats": null, timestamp: null };
    const removal = batch([change(1, { userId: "u" }, cleared)], { operation: "clear" });
    expect(kinds(await place.connection.write(removal))).toEqual([[1, "accepted"]]);
    expect((await sent(place)).at(-1)).toMatchObject({ traits: { email: null, plan: null, usage: { seats: null } } });
    expect(place.contents()["users"]).toMatchObject({ u: { theirs: "kept" } });
  });

  test("are described as they are taken", async () => {
    await using place = await account();
    const { fields, modes, removals } = await place.connection.describe("identify", {});
    const types = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
    expect(types).toMatchObject({ traits: "json", "traits.email": "text", "traits.age": "number" });
    expect(types).toMatchObject({ "traits.createdAt": "datetime", "traits.birthday": "date", timestamp: "datetime" });
    expect({ modes, removals }).toEqual({ modes: ["upsert", "mirror"], removals: ["clear"] });
  });
});

describe("a group call", () => {
  test("is about somebody, always: the row's user, or one that stands for all", async () => {
    await using place = await account();
    const rows = [
      change(1, { groupId: "g1" }, { "traits.name": "Initech" }),
      change(2, { groupId: "g2" }, { "traits.name": "Hooli", userId: "gavin" }),
      change(3, { groupId: "g3" }, { anonymousId: "anna" }),
    ];
    await place.connection.write(batch(rows, groups));
    await place.connection.write(
      batch([change(4, { groupId: "g4" })], { ...groups, settings: { anonymous_id: "etl" } }),
    );
    expect(place.contents()["memberships"]).toEqual({ g1: ["sluice"], g2: ["gavin"], g3: ["anna"], g4: ["etl"] });
    expect(place.contents()["groups"]).toMatchObject({ g1: { name: "Initech" }, g2: { name: "Hooli" } });
    expect(dropped(place)).toEqual([]);
  });

  test("that clears a removed row's traits needs no user", async () => {
    await using place = await account();
    const record = { "traits.name": "Initech", userId: "peter" };
    await place.connection.write(batch([change(1, { groupId: "g" }, record)], groups));
    const nulls = { "traits.name": null, userId: null };
    const removal = batch([change(1, { groupId: "g" }, nulls)], { ...groups, operation: "clear" });
    expect(kinds(await place.connection.write(removal))).toEqual([[1, "accepted"]]);
    expect(place.contents()["groups"]).toEqual({ g: {} });
  });
});

describe("settings", () => {
  test("choose which of Segment's destinations get the events", async () => {
    await using place = await account();
    const integrations = { All: false, Mixpanel: true };
    await place.connection.write(batch([change(1, { userId: "u" })], { settings: { integrations } }));
    expect(await sent(place)).toMatchObject([{ integrations }]);
  });

  test("that would keep the events from Segment itself, or that there are not, are refused", async () => {
    await using place = await account();
    const wrong = [
      { integrations: { "Segment.io": false } },
      { integrations: { Mixpanel: "yes" } },
      { event: "Paid" },
      { anonymous_id: "" },
    ];
    for (const settings of wrong) {
      for (const asked of [
        place.connection.describe("identify", settings),
        place.connection.write(batch([change(1, { userId: "u" })], { settings })),
      ])
        expect(await failureOf(asked)).toMatchObject({ kind: "refused", code: "settings_invalid", applied: "no" });
    }
    expect(await batchesSent(place)).toBe(0);
  });

  test("that name no event make it a required field", async () => {
    await using place = await account();
    const required = async (settings: Batch["settings"]): Promise<readonly string[]> =>
      (await place.connection.describe("track", settings)).fields.flatMap((field) =>
        field.required === true ? [field.name] : [],
      );
    expect(await required({})).toEqual(["event"]);
    expect(await required({ event: "Paid" })).toEqual([]);
  });
});

test("what Segment cannot do is refused by name: it neither updates, inserts nor deletes", async () => {
  await using place = await account();
  for (const operation of ["update", "insert", "append", "delete", "archive"] as const) {
    const error = await failureOf(place.connection.write(batch([change(1, { userId: "u" })], { operation })));
    expect(error).toMatchObject({ kind: "refused", code: "operation_unsupported", applied: "no" });
  }
  const upsert = batch([change(1, { eventId: "e" }, { userId: "u" })], { ...events, operation: "upsert" });
  expect(await failureOf(place.connection.write(upsert))).toMatchObject({ code: "operation_unsupported" });
  expect((await place.connection.describe("track", {})).removals).toEqual([]);
});

describe("limits", () => {
  test("ask to wait as long as Segment says, in either header", async () => {
    await using place = await account();
    await place.connection.check();
    for (const [name, retryAfterMs] of [
      ["rate_limit", 1000],
      ["rate_limit_reset_only", 12_000],
    ] as const) {
      await place.strike({ kind: "failure", name }, { path: "/v1/batch" });
      const error = await failureOf(place.connection.write(batch([change(1, { userId: "u" })])));
      expect(error).toMatchObject({ kind: "busy", code: "RATE_LIMIT", applied: "no", retryAfterMs });
      await place.calm();
    }
  });

  test("are counted in events, however many a request carries", async () => {
    const { batch: full } = await answeredWith("{}").describe("identify", {});
    const perSecond = (given: Readonly<Record<string, unknown>>): number[] =>
      segment
        .limits(segment.connection.parse({ write_key: writeKey, ...given }) as never)
        .map(({ requests, perMs }) => (requests * full.records * 1000) / perMs);
    expect(perSecond({})).toEqual([1000]);
    expect(perSecond({ events_per_second: 5000 })).toEqual([5000]);
    expect(perSecond({ events_per_second: 100 })).toEqual([100]);
  });

  test("of the sandbox are Segment's: a thousand requests a second", async () => {
    const sandbox = createSandbox({ now: () => 0 });
    const ask = (): number =>
      sandbox.handle({
        method: "POST",
        path: "/v1/batch",
        query: {},
        headers: {},
        body: { batch: [], writeKey: "12345678" },
      }).status;
    const statuses = Array.from({ length: 1001 }, ask);
    expect([statuses.filter((status) => status === 200).length, statuses.at(-1)]).toEqual([1000, 429]);
  });
});
