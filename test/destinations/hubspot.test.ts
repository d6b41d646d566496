import { describe, expect, test } from "vitest";
import hubspot from "../../destinations/hubspot/index.ts";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import {
  type Batch,
  type Change,
  type Connection,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import { deliver, failureOf, kinds } from "./checks.ts";
import fixture from "./hubspot.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

const [contacts] = fixture.objects;
const token = "pat-na1-0f1e2d3c-suite";
const choice = (value: string): { label: string; value: string } => ({ label: value.toUpperCase(), value });
const seed = {
  tokens: [{ token }, { token: "reader", scopes: ["crm.objects.contacts.read"] }],
  properties: {
    contacts: [
      { name: "customer_number", hasUniqueValue: true },
      { name: "colours", type: "enumeration", fieldType: "checkbox", options: ["red", "green", "blue"].map(choice) },
      { name: "score", type: "number" },
      { name: "seen_at", type: "datetime" },
      { name: "vip", type: "bool", fieldType: "booleancheckbox" },
    ],
  },
  customObjects: [
    { name: "machines", label: "Machines", properties: [{ name: "serial", hasUniqueValue: true }, { name: "model" }] },
  ],
};

/** A sandbox account with all of the above. */
async function account(): Promise<Place> {
  if (!contacts) throw new Error("the fixture has no contacts");
  return openPlace({ adapter: hubspot, createSandbox, fixture: { ...fixture, seed }, object: contacts });
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
  const base = { object: "contacts", settings: {}, operation: "upsert", fields, match: ["email"], id: "1" } as const;
  return { ...base, changes, ...more };
}

type Properties = Readonly<Record<string, string>>;
const holding = (place: Place, object = "contacts"): Properties[] =>
  Object.values(place.contents()[object] ?? {}) as Properties[];
const idOf = (outcomes: readonly Outcome[], seq = 1): string => {
  const found = outcomes.find((one) => one.seq === seq);
  return (found?.kind === "accepted" && found.destinationId) || `no id in ${JSON.stringify(found)}`;
};
const routes = async (place: Place): Promise<string[]> =>
  (await place.asked()).flatMap(({ path }) => /(?<=\/)batch\/\w+$/.exec(path)?.[0] ?? []);

const config = {
  access_token: token,
  base_url: "http://127.0.0.1:1",
  api_version: "2026-09",
  tier: "professional",
} as const;

/** A connection to a HubSpot that answers every write alike, in HubSpot's or another's words. */
function answeredWith(text: string, status = 200): Connection {
  const properties = {
    results: [
      { name: "email", type: "string" },
      { name: "city", type: "string" },
    ],
  };
  return hubspot.connect(
    config,
    contextOf(async (url) =>
      String(url).includes("/crm/properties/") ? Response.json(properties) : new Response(text, { status }),
    ),
  );
}

describe("a batch that is refused whole", () => {
  test("for two spellings of one address is halved until both are written", async () => {
    await using place = await account();
    const twice = batch([
      change(1, { email: "A@example.com" }, { city: "one" }),
      change(2, { email: " a@EXAMPLE.com" }, { city: "two" }),
      change(3, { email: "b@example.com" }, { city: "three" }),
    ]);
    expect(await failureOf(place.connection.write(twice))).toMatchObject({
      kind: "refused",
      applied: "no",
      status: 400,
    });
    expect(holding(place)).toEqual([]);
    expect(kinds(await deliver(place, twice)).map(([, kind]) => kind)).toEqual(["accepted", "accepted", "accepted"]);
    expect(holding(place).map(({ email, city }) => [email, city])).toEqual([
      ["a@example.com", "two"],
      ["b@example.com", "three"],
    ]);
  });

  test("for one record's conflict names the property, and costs the others nothing", async () => {
    await using place = await account();
    await place.connection.write(batch([change(1, { email: "a@example.com" }, { customer_number: "7" })]));
    const changes = ["b", "c", "d", "e"].map((name, at) =>
      change(at, { email: `${name}@example.com` }, { customer_number: name === "d" ? "7" : name }),
    );
    expect(await failureOf(place.connection.write(batch(changes)))).toMatchObject({ kind: "refused", status: 409 });
    const outcomes = await deliver(place, batch(changes));
    expect(kinds(outcomes)).toEqual([
      [0, "accepted"],
      [1, "accepted"],
      [2, "rejected"],
      [3, "accepted"],
    ]);
    expect(outcomes.find(({ seq }) => seq === 2)).toMatchObject({ code: "CONFLICT", field: "customer_number" });
    expect(holding(place).map(({ email }) => email)).not.toContain("d@example.com");
  });
});

describe("an answer", () => {
  const two = batch([
    change(1, { email: "a@example.com" }, { city: "x" }),
    change(2, { email: "b@example.com" }, { city: "x" }),
  ]);
  const told = async (answer: unknown, of: Batch = two): Promise<readonly Outcome[]> =>
    answeredWith(JSON.stringify(answer)).write(of);

  test("of both API versions tells the bad record by its trace id, with the reason and the field", async () => {
    for (const [version, status] of [
      ["2026-03", 207],
      ["2026-09", 200],
    ] as const) {
      await using place = await account();
      const connection = place.connect({ api_version: version });
      const changes = [1, 2, 3].map((seq) =>
        change(seq, { email: `p${seq}@example.com` }, { score: seq === 2 ? "many" : String(seq) }),
      );
      const outcomes = await connection.write(batch(changes));
      expect(kinds(outcomes)).toEqual([
        [1, "accepted"],
        [2, "rejected"],
        [3, "accepted"],
      ]);
      expect(outcomes.find(({ seq }) => seq === 2)).toMatchObject({ code: "INVALID_DOUBLE", field: "score" });
      expect((await place.asked()).at(-1)).toMatchObject({
        status,
        path: `/crm/objects/${version}/contacts/batch/upsert`,
      });
    }
  });

  test("without trace ids is read by the record's address, in whatever spelling and order", async () => {
    const outcomes = await told({
      results: [
        { id: "22", properties: { email: "B@Example.com" } },
        { id: 11, properties: { email: "a@example.com" } },
      ],
    });
    expect(outcomes).toEqual([
      { seq: 1, kind: "accepted", destinationId: "11" },
      { seq: 2, kind: "accepted", destinationId: "22" },
    ]);
  });

  test("without trace ids tells the bad record by context.ids", async () => {
    const error = { category: "VALIDATION_ERROR", message: "wrong", context: { ids: ["A@example.com"] } };
    const outcomes = await told({ results: [{ id: "22", properties: { email: "b@example.com" } }], errors: [error] });
    expect(kinds(outcomes)).toEqual([
      [1, "rejected"],
      [2, "accepted"],
    ]);
  });

  test("is never read by position", async () => {
    expect(
      kinds(
        await told({
          results: [
            { id: "1", properties: {} },
            { id: "2", properties: {} },
          ],
        }),
      ),
    ).toEqual([
      [1, "in_doubt"],
      [2, "in_doubt"],
    ]);
  });

  test("about a record that was not sent is not taken for one that was", async () => {
    const results = [
      { id: "1", objectWriteTraceId: "999", properties: { email: "a@example.com" } },
      { id: "2", properties: { email: "other@example.com" } },
    ];
    const errors = [{ category: "X", message: "of none", context: {} }, { context: { objectWriteTraceId: ["998"] } }];
    expect(kinds(await told({ results, errors }))).toEqual([
      [1, "in_doubt"],
      [2, "in_doubt"],
    ]);
  });

  test("that says two things of one record leaves it in doubt", async () => {
    const results = ["1", "2"].map((trace) => ({ id: `${trace}0`, objectWriteTraceId: trace }));
    const errors = [{ category: "X", message: "wrong", context: { objectWriteTraceId: ["1"] } }];
    expect(kinds(await told({ results, errors }))).toEqual([
      [1, "in_doubt"],
      [2, "accepted"],
    ]);
    const others = [{ id: "77", objectWriteTraceId: "2" }];
    expect(kinds(await told({ results: [...results, ...others] }))).toEqual([
      [1, "accepted"],
      [2, "in_doubt"],
    ]);
  });

  test("with a null trace id is read by identity, and one without an id gives none", async () => {
    const nulled = { id: "11", objectWriteTraceId: null, properties: { email: "a@example.com" } };
    const outcomes = await told({ results: [nulled, { id: "22", objectWriteTraceId: "2" }] });
    expect(outcomes.map((one) => idOf([one], one.seq))).toEqual(["11", "22"]);
    const withoutId = await told({
      results: [{ objectWriteTraceId: "1" }, { id: "22", objectWriteTraceId: "2" }],
    }).catch((error: unknown) => error);
    expect(JSON.stringify(withoutId)).not.toContain("undefined");
  });

  test("keeps ids and match values apart that look alike", async () => {
    const mixed = batch(
      [
        change(2, { customer_number: "501" }, { city: null }, { destinationId: "500" }),
        change(1, { customer_number: "500" }, { city: null }),
      ],
      { operation: "clear", match: ["customer_number"] },
    );
    expect(kinds(await told({ results: [{ id: "500", properties: {} }] }, mixed))).toEqual([
      [1, "in_doubt"],
      [2, "accepted"],
    ]);
  });

  test("2xx for no row leaves all in doubt", async () => {
    for (const answer of [{}, { results: [] }, { status: "COMPLETE", results: [], errors: [], numErrors: 0 }])
      expect(kinds(await told(answer))).toEqual([
        [1, "in_doubt"],
        [2, "in_doubt"],
      ]);
  });

  test("that is not JSON, or has another form, is unavailable: nobody knows what was applied", async () => {
    for (const text of ["<html>Bad gateway</html>", "null", '"text"', "[]", '{"results":1}', '{"results":[null]}']) {
      for (const status of [200, 207])
        expect(await failureOf(answeredWith(text, status).write(two))).toMatchObject({
          kind: "unavailable",
          applied: "unknown",
        });
    }
  });

  test("is never met with anything but a classified error", async () => {
    for (const text of ["", "<html>", "null", '"text"', "[]", "{}", '{"results":1}', '{"results":[{}]}']) {
      const connection = hubspot.connect(
        config,
        contextOf(async () => new Response(text)),
      );
      const member = batch(two.changes, { object: "list_memberships", settings: { list: "L" } });
      const asked = [
        connection.check(),
        connection.objects(),
        connection.describe("contacts", {}),
        connection.describe("machines", {}),
        connection.describe("list_memberships", { list: "L" }),
        connection.write(two),
        connection.write(batch(two.changes, { operation: "archive" })),
        connection.write(member),
      ];
      for (const ended of await Promise.allSettled(asked))
        if (ended.status === "rejected") expect([text, ended.reason]).toEqual([text, expect.any(DestinationError)]);
    }
  });
});

describe("contacts found by e-mail", () => {
  test("whose records leave fields out are read, updated and created, never upserted in part", async () => {
    await using place = await account();
    const fields = ["firstname", "city"];
    await place.connection.write(batch([change(1, { email: "a@example.com" }, { firstname: "Ann", city: "Aachen" })]));
    const partial = batch(
      [
        change(1, { email: "A@example.com" }, { firstname: "Anna" }),
        change(2, { email: "b@example.com" }, { city: "Bonn" }),
        change(3, { email: "c@example.com" }, { firstname: "Cy", city: "Celle" }),
      ],
      { fields },
    );
    expect(kinds(await place.connection.write(partial)).map(([, kind]) => kind)).toEqual(Array(3).fill("accepted"));
    expect(await routes(place)).toEqual(["batch/upsert", "batch/read", "batch/update", "batch/create"]);
    expect(holding(place).map(({ email, firstname, city }) => [email, firstname, city])).toEqual([
      ["a@example.com", "Anna", "Aachen"],
      ["b@example.com", undefined, "Bonn"],
      ["c@example.com", "Cy", "Celle"],
    ]);
  });

  test("that are found by a further address keep their first one", async () => {
    for (const fields of [["city"], ["city", "firstname"]]) {
      await using place = await account();
      const first = change(1, { email: "main@example.com" }, { city: "x", hs_additional_emails: "alias@example.com" });
      const id = idOf(await place.connection.write(batch([first])));
      const byAlias = batch([change(1, { email: "Alias@example.com" }, { city: "y" })], { fields });
      expect(await place.connection.write(byAlias)).toEqual([{ seq: 1, kind: "accepted", destinationId: id }]);
      expect(holding(place)).toMatchObject([{ email: "main@example.com", city: "y" }]);
    }
  });

  test("are not created twice when the answer to their creation is lost", async () => {
    await using place = await account();
    const partial = batch([change(1, { email: "a@example.com" }, { city: "x" })], { fields: ["city", "firstname"] });
    await place.strike({ kind: "drop_after" }, { path: "batch/create", times: 1 });
    expect(await failureOf(place.connection.write(partial))).toMatchObject({ applied: "unknown" });
    expect(kinds(await place.connection.write(partial))).toEqual([[1, "accepted"]]);
    expect(holding(place)).toHaveLength(1);
  });

  test("that were updated before the rest of their batch failed may have been applied", async () => {
    for (const fault of [
      { kind: "failure", name: "ten_secondly_limit" },
      { kind: "status", status: 401 },
    ] as const) {
      await using place = await account();
      await place.connection.write(batch([change(1, { email: "a@example.com" }, { city: "x" })]));
      const changes = [1, 2].map((seq) =>
        change(seq, { email: `${seq === 1 ? "a" : "b"}@example.com` }, { city: "y" }),
      );
      await place.strike(fault, { path: "batch/create" });
      const error = await failureOf(place.connection.write(batch(changes, { fields: ["city", "firstname"] })));
      expect(error.applied).toBe("unknown");
      expect(holding(place)).toMatchObject([{ city: "y" }]);
    }
  });
});

describe("a renamed row", () => {
  test("renames its record by id, beside others that are found by their match", async () => {
    await using place = await account();
    const id = idOf(await place.connection.write(batch([change(1, { email: "old@example.com" }, { city: "x" })])));
    const outcomes = await place.connection.write(
      batch([
        change(1, { email: "new@example.com" }, { city: "y" }, { destinationId: id, renamed: true }),
        change(2, { email: "b@example.com" }, { city: "z" }),
      ]),
    );
    expect(kinds(outcomes)).toEqual([
      [1, "accepted"],
      [2, "accepted"],
    ]);
    expect(idOf(outcomes)).toBe(id);
    expect(holding(place).map(({ email, city }) => [email, city])).toEqual([
      ["new@example.com", "y"],
      ["b@example.com", "z"],
    ]);
  });

  test("whose record is gone is written anew", async () => {
    await using place = await account();
    const gone = { destinationId: "404", renamed: true };
    const outcomes = await place.connection.write(
      batch([change(1, { email: "new@example.com" }, { city: "y" }, gone)]),
    );
    expect(kinds(outcomes)).toEqual([[1, "accepted"]]);
    expect(holding(place)).toMatchObject([{ email: "new@example.com", city: "y" }]);
  });

  test("that was applied before the rest of its batch failed may have been applied", async () => {
    await using place = await account();
    const id = idOf(await place.connection.write(batch([change(1, { email: "old@example.com" }, { city: "x" })])));
    await place.strike({ kind: "failure", name: "ten_secondly_limit" }, { path: "batch/upsert" });
    const changes = [
      change(1, { email: "new@example.com" }, { city: "y" }, { destinationId: id, renamed: true }),
      change(2, { email: "b@example.com" }, { city: "z" }),
    ];
    const error = await failureOf(place.connection.write(batch(changes)));
    expect(error).toMatchObject({ kind: "busy", applied: "unknown", retryAfterMs: 10_000 });
  });
});

describe("a removed row", () => {
  test("archives its record by id or by match; one that is gone already is accepted", async () => {
    await using place = await account();
    const rows = ["a", "b", "c"].map((name, seq) => change(seq, { email: `${name}@example.com` }, { city: "x" }));
    const written = await place.connection.write(batch(rows));
    const removal = batch(
      [
        change(0, { email: "renamed-since@example.com" }, {}, { destinationId: idOf(written, 0) }),
        change(1, { email: "B@example.com" }),
        change(5, { email: "never@example.com" }),
        change(6, { email: "gone@example.com" }, {}, { destinationId: "404" }),
      ],
      { operation: "archive" },
    );
    expect(kinds(await place.connection.write(removal)).map(([, kind]) => kind)).toEqual(Array(4).fill("accepted"));
    expect(holding(place).map(({ email }) => email)).toEqual(["c@example.com"]);
    expect(kinds(await place.connection.write(removal)).map(([, kind]) => kind)).toEqual(Array(4).fill("accepted"));
  });

  test("is found in whatever spelling, also where two rows differ in nothing else", async () => {
    await using place = await account();
    await place.connection.write(
      batch([change(1, { customer_number: "Ab" }, { city: "x" })], { match: ["customer_number"] }),
    );
    const removal = batch([change(1, { customer_number: "AB" }), change(2, { customer_number: "ab" })], {
      operation: "archive",
      match: ["customer_number"],
    });
    await place.connection.write(removal);
    expect(holding(place)).toEqual([]);
  });

  test("clears its fields and keeps its record", async () => {
    await using place = await account();
    const id = idOf(
      await place.connection.write(batch([change(1, { email: "a@example.com" }, { city: "x", score: "1" })])),
    );
    for (const destinationId of [undefined, id, "404"]) {
      const cleared = batch([change(1, { email: "a@example.com" }, { city: null }, { destinationId })], {
        operation: "clear",
      });
      expect(kinds(await place.connection.write(cleared))).toEqual([[1, "accepted"]]);
    }
    expect(holding(place).map(({ email, city, score }) => [email, city, score])).toEqual([
      ["a@example.com", undefined, "1"],
    ]);
  });
});

describe("values", () => {
  test("are sent as the text that HubSpot takes", async () => {
    await using place = await account();
    const sent: DestinationRecord = {
      city: null,
      vip: false,
      score: "12345678901234567890.5",
      seen_at: "2026-11-23T09:30:00.123456Z",
      colours: ["", "red", "blue"],
    };
    expect(kinds(await place.connection.write(batch([change(1, { email: "a@example.com" }, sent)])))).toEqual([
      [1, "accepted"],
    ]);
    expect((await place.asked()).at(-1)?.requestBody).toMatchObject({
      inputs: [
        {
          properties: {
            city: "",
            vip: "false",
            score: "12345678901234567890.5",
            seen_at: "2026-11-23T09:30:00.123Z",
            colours: "red;blue",
          },
        },
      ],
    });
  });

  test("of several choices replace the present ones, in every form they come in", async () => {
    await using place = await account();
    const forms = [["green"], [";green"], ";green", "green", ["", "green", ""]];
    for (const colours of forms) {
      await place.connection.write(batch([change(1, { email: "a@example.com" }, { colours: ["red", "blue"] })]));
      await place.connection.write(batch([change(1, { email: "a@example.com" }, { colours })]));
      expect([colours, holding(place)[0]?.["colours"]]).toEqual([colours, "green"]);
    }
    await place.connection.write(batch([change(1, { email: "a@example.com" }, { colours: [] })]));
    expect(holding(place)[0]).not.toHaveProperty("colours");
  });

  test("are described as they are taken", async () => {
    await using place = await account();
    const { fields } = await place.connection.describe("contacts", {});
    const field = (name: string): unknown => fields.find((one) => one.name === name);
    expect(field("email")).toMatchObject({ type: "text", matches: true, matching: "case_insensitive" });
    expect(field("customer_number")).toMatchObject({ matches: true });
    expect(field("score")).toMatchObject({ type: "number", exact: true, matches: false });
    expect(field("colours")).toMatchObject({ type: "multi_enum", options: [{ value: "red", title: "RED" }, {}, {}] });
    expect(field("vip")).toMatchObject({ type: "boolean" });
    expect(field("hs_object_id")).toMatchObject({ writable: false });
    expect(field("hs_additional_emails")).not.toHaveProperty("options");
  });
});

describe("failures", () => {
  const read = batch([change(1, { email: "a@example.com" }, { city: "x" })]);
  const expected: readonly (readonly [failure: string, error: object])[] = [
    ["ten_secondly_limit", { kind: "busy", code: "RATE_LIMIT_TEN_SECONDLY_ROLLING", retryAfterMs: 10_000 }],
    ["daily_limit", { kind: "busy", code: "RATE_LIMIT_DAILY", retryAfterMs: 3_600_000 }],
    ["migration_477", { kind: "busy", code: "MIGRATION_IN_PROGRESS", retryAfterMs: 1000 }],
    ["locked_423", { kind: "busy", code: "LOCKED", retryAfterMs: 2000 }],
    ["missing_scopes", { kind: "unauthorized", code: "MISSING_SCOPES" }],
    ["unauthorized", { kind: "unauthorized", code: "INVALID_AUTHENTICATION" }],
  ];
  test.each(expected)("%s is told with its code and wait, and applied nothing", async (name, error) => {
    await using place = await account();
    await place.connection.describe("contacts", {});
    await place.strike({ kind: "failure", name });
    expect(await failureOf(place.connection.write(read))).toMatchObject({ ...error, applied: "no" });
  });

  test("of other limits wait by their policy, or by Retry-After where there is one", async () => {
    await using place = await account();
    const waits = async (body: unknown, headers = {}): Promise<number | undefined> => {
      await place.calm();
      await place.strike({ kind: "status", status: 429, body, headers });
      return (await failureOf(place.connection.write(read))).retryAfterMs;
    };
    expect(await waits({ policyName: "SECONDLY" })).toBe(1000);
    expect(await waits({ policyName: "NEW_POLICY" })).toBe(10_000);
    expect(await waits("not an object")).toBe(10_000);
    expect(await waits({ policyName: "DAILY" }, { "retry-after": "3" })).toBe(3000);
  });

  test("of the gateway's own certificates and time-outs need a person", async () => {
    await using place = await account();
    for (const status of [522, 525, 526]) {
      await place.strike({ kind: "status", status });
      expect(await failureOf(place.connection.check())).toMatchObject({ kind: "unauthorized", status });
      await place.calm();
    }
  });

  test("of a token that may only read name the right that it lacks", async () => {
    await using place = await account();
    const error = await failureOf(place.connect({ access_token: "reader" }).write(read));
    expect(error).toMatchObject({ kind: "unauthorized", code: "MISSING_SCOPES", applied: "no" });
  });
});

test("a base_url that ends in a slash is the same address", async () => {
  await using place = await account();
  expect((await place.connect({ base_url: `${place.url}/` }).check()).account).toContain("9000001");
});

test("custom objects are listed, described and written by name and by type id", async () => {
  await using place = await account();
  expect(await place.connection.objects()).toContainEqual({ name: "machines", title: "Machines" });
  for (const object of ["machines", "2-1"]) {
    expect((await place.connection.describe(object, {})).fields.map(({ name }) => name)).toContain("serial");
    const written = batch([change(1, { serial: "s1" }, { model: object })], { object, match: ["serial"] });
    expect(kinds(await place.connection.write(written))).toEqual([[1, "accepted"]]);
    expect(holding(place, "machines")).toMatchObject([{ serial: "s1", model: object }]);
  }
});
