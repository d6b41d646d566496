import { describe, expect, test } from "vitest";
import livestorm from "../../destinations/livestorm/index.ts";
import createSandbox from "../../destinations/livestorm/sandbox.ts";
import type { Batch, Change, Connection, DestinationRecord, Outcome } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import fixture, { attributes, type HeldRegistrant, session } from "./livestorm.fixture.ts";
import { openPlace, type Place } from "./place.ts";
import { contextOf } from "./context.ts";

const [registrants] = fixture.objects;
const short = "7b0f3c52-91c4-4f5e-9a55-0f4f7a5b6c02";
const over = "7b0f3c52-91c4-4f5e-9a55-0f4f7a5b6c03";
const token = "eyJhbGciOiJIUzI1NiJ9.livestorm-suite";

const seed = {
  tokens: [{ token }, { token: "reads-only", scopes: ["identity:read", "events:read"] }],
  attributes,
  sessions: [
    { id: session, name: "Product tour" },
    { id: short, form: ["email", "first_name"] },
    { id: over, status: "past" },
  ],
  team_members: [{ id: "team-1", session, email: "host@example.com" }],
};

/** A sandbox workspace with all of the above. */
async function workspace(more: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  if (!registrants) throw new Error("the fixture has no registrants");
  const given = { ...fixture, seed: { ...seed, ...more } };
  const sandbox = { seed: given.seed };
  return openPlace({ adapter: livestorm, createSandbox, fixture: given, object: registrants, sandbox });
}

function change(email: string, record: DestinationRecord = {}, more: Partial<Change> = {}): Change {
  return { seq: 1, match: { email }, record, destinationId: undefined, renamed: false, ...more };
}

function batch(one: Change, more: Partial<Batch> = {}): Batch {
  const fields = Object.keys(one.record);
  const settings = { session };
  return {
    object: "registrants",
    settings,
    operation: "upsert",
    fields,
    match: ["email"],
    id: "1",
    changes: [one],
    ...more,
  };
}

async function write(place: Place, one: Change, more: Partial<Batch> = {}): Promise<Outcome | undefined> {
  return (await place.connection.write(batch(one, more)))[0];
}

const idOf = (outcome: Outcome | undefined): string | undefined =>
  outcome?.kind === "accepted" ? outcome.destinationId : undefined;
const held = (place: Place): readonly HeldRegistrant[] =>
  Object.values(place.contents()["registrants"] as Record<string, HeldRegistrant>).filter(({ id }) => id !== "team-1");

/** What was asked since the attributes were looked at. */
async function asked(place: Place): Promise<string[]> {
  const all = (await place.asked()).filter(({ path }) => !path.includes("attributes"));
  return all.map(({ method, path }) => `${method} ${path.replace(/^.*\/people/, "people").replace(/0{8}-\S+/, "…")}`);
}

const config = { api_token: token, monthly_calls: 10_000, base_url: "http://127.0.0.1:1" } as const;

/** A connection to a Livestorm that answers every request about people alike. */
function answeredWith(body: unknown, status = 200): Connection {
  return livestorm.connect(
    config,
    contextOf(async (url) => {
      if (!String(url).includes("people_attributes")) return new Response(JSON.stringify(body), { status });
      return Response.json({ data: [{ attributes: { slug: "job_title", type: "text" } }] });
    }),
  );
}

describe("registrants", () => {
  test("are registered in one call, with all fields as id and value, and without what is null", async () => {
    await using place = await workspace();
    const record = { first_name: "Cy", job_title: null, interests: ["api"], utm_source: "crm" };
    expect(await write(place, change("Cy@example.com", record))).toMatchObject({ kind: "accepted" });
    expect(await asked(place)).toEqual(["POST people"]);
    // An e-mail address beside the fields would be passed over.
    expect((await place.asked()).at(-1)?.requestBody).toEqual({
      data: {
        type: "people",
        attributes: {
          fields: [
            { id: "email", value: "cy@example.com" },
            { id: "first_name", value: "Cy" },
            { id: "interests", value: ["api"] },
          ],
          utm_source: "crm",
        },
      },
    });
  });

  test("that were registered by the sync are changed in one call; what is not mapped stays", async () => {
    await using place = await workspace();
    const made = await write(place, change("cy@example.com", { first_name: "Cy", job_title: "CEO" }));
    const sent = { destinationId: idOf(made) };
    expect(await write(place, change("cy@example.com", { job_title: "CTO" }, sent))).toEqual(made);
    expect((await asked(place)).slice(1)).toEqual(["PATCH people/…"]);
    expect(held(place)).toMatchObject([{ fields: { first_name: "Cy", job_title: "CTO" } }]);
  });

  test("that are registered already are found and changed, never registered twice", async () => {
    await using place = await workspace();
    const made = await write(place, change("cy@example.com", { first_name: "Cy" }));
    expect(await write(place, change("CY@example.com ", { first_name: null }))).toEqual(made);
    expect((await asked(place)).slice(1)).toEqual(["POST people", "GET people", "PATCH people/…"]);
    expect(held(place)).toMatchObject([{ email: "cy@example.com", fields: {} }]);
  });

  test("that are registered to another session are left alone there", async () => {
    await using place = await workspace();
    await write(place, change("cy@example.com", { first_name: "Cy" }), { settings: { session: short } });
    await write(place, change("cy@example.com", { first_name: "Cyd" }));
    expect(held(place).map(({ session: where, fields }) => [where, fields["first_name"]])).toEqual([
      [short, "Cy"],
      [session, "Cyd"],
    ]);
  });

  test("are not made of team members: those keep their place", async () => {
    await using place = await workspace();
    expect(await write(place, change("host@example.com", { first_name: "H" }))).toMatchObject({ code: "conflict" });
    expect(held(place)).toEqual([]);
  });

  test("are updated only if they are registered, and refused to an insert if they are", async () => {
    await using place = await workspace();
    const cy = change("cy@example.com", { first_name: "Cy" });
    expect(await write(place, cy, { operation: "update" })).toMatchObject({ code: "not_found", field: "email" });
    const made = await write(place, cy, { operation: "insert" });
    expect(await write(place, cy, { operation: "insert" })).toMatchObject({ kind: "rejected", code: "conflict" });
    expect(await write(place, change("cy@example.com"), { operation: "update" })).toEqual(made);
  });

  test("keep their place when the row has another address, or are told when Livestorm keeps the former", async () => {
    for (const operation of ["upsert", "update"] as const) {
      await using place = await workspace();
      const destinationId = idOf(await write(place, change("cy@example.com", { first_name: "Cy" })));
      const renamed = change("cyd@example.com", {}, { destinationId, renamed: true });
      expect(idOf(await write(place, renamed, { operation }))).toBe(destinationId);
      expect(held(place).map(({ email }) => email)).toEqual(["cyd@example.com"]);
    }
    await using fixed = await workspace({ keeps_address: true });
    const destinationId = idOf(await write(fixed, change("cy@example.com")));
    const renamed = change("cyd@example.com", {}, { destinationId, renamed: true });
    expect(await write(fixed, renamed)).toMatchObject({ kind: "rejected", code: "not_kept", field: "email" });
  });

  test("that are gone are registered again by an upsert, and rejected by an update", async () => {
    await using place = await workspace();
    const lost = change("cy@example.com", { first_name: "Cy" }, { destinationId: "gone" });
    expect(await write(place, lost, { operation: "update" })).toMatchObject({ kind: "rejected", code: "not_found" });
    expect(await write(place, lost)).toMatchObject({ kind: "accepted" });
    expect(held(place)).toHaveLength(1);
  });

  test("are taken off the session, by id or address, and again does no harm", async () => {
    await using place = await workspace();
    const destinationId = idOf(await write(place, change("a@example.com")));
    await write(place, change("b@example.com"));
    for (const removed of [change("a@example.com", {}, { destinationId }), change("B@example.com")])
      for (let times = 0; times < 2; times += 1)
        expect(await write(place, removed, { operation: "delete" })).toMatchObject({ kind: "accepted" });
    expect(held(place)).toEqual([]);
  });
});

describe("values", () => {
  const refused: readonly (readonly [string, DestinationRecord])[] = [
    ["unknown_field", { shoe_size: "42" }],
    ["not_writable", { terms: true }],
    ["not_text", { job_title: 5 }],
    ["not_a_url", { website: "example.com" }],
    ["not_an_option", { company_size: "enormous" }],
    ["not_a_list", { interests: "api" }],
    ["not_an_option", { interests: ["api", "weather"] }],
  ];
  test.each(refused)("are refused before a call is spent: %s %o", async (code, record) => {
    await using place = await workspace();
    const outcome = await write(place, change("cy@example.com", record));
    expect(outcome).toMatchObject({ kind: "rejected", code, field: Object.keys(record)[0] });
    expect(await write(place, change("no address"))).toMatchObject({ code: "not_an_email", field: "email" });
    expect(await asked(place)).toEqual([]);
  });

  test("that the registration form has no field for are rejected: Livestorm passes over them without a word", async () => {
    await using place = await workspace();
    const row = change("cy@example.com", { first_name: "Cy", job_title: "CEO" });
    const outcome = await write(place, row, { settings: { session: short } });
    expect(outcome).toMatchObject({ kind: "rejected", code: "not_kept", field: "job_title" });
  });
});

describe("answers", () => {
  const detail = { fields: [{ id: "job_title", value: "CEO" }] };
  const person = { id: "p1", type: "people", attributes: { email: "cy@example.com", registrant_detail: detail } };
  const sent = batch(change("cy@example.com", { job_title: "CEO" }));

  test("that show the person with what was sent are believed, and no others", async () => {
    expect(await answeredWith({ data: person }, 201).write(sent)).toEqual([
      { seq: 1, kind: "accepted", destinationId: "p1" },
    ]);
    const other = { ...person, attributes: { ...person.attributes, email: "other@example.com" } };
    const bare = { ...person, attributes: { email: "cy@example.com" } };
    for (const data of [null, [], {}, other, bare])
      expect(kinds(await answeredWith({ data }, 201).write(sent))).toEqual([[1, "in_doubt"]]);
  });

  test("to a removal that are not Livestorm's leave it in doubt", async () => {
    const removal = batch(change("cy@example.com", {}, { destinationId: "p1" }), { operation: "delete" });
    expect(kinds(await answeredWith({ data: null }).write(removal))).toEqual([[1, "in_doubt"]]);
  });

  test("that are not JSON may have been applied", async () => {
    const fetch = async (url: string | URL): Promise<Response> =>
      String(url).includes("attributes") ? Response.json({ data: [] }) : new Response("<html>");
    const written = livestorm.connect(config, contextOf(fetch)).write(batch(change("cy@example.com")));
    expect(await failureOf(written)).toMatchObject({ kind: "unavailable", code: "not_json", applied: "unknown" });
  });

  test("that refuse are told with Livestorm's words and its code", async () => {
    await using place = await workspace();
    const outcome = await write(place, change("cy@example.com"), { settings: { session: over } });
    expect(outcome).toMatchObject({ code: "unprocessable_entity", message: expect.stringContaining("over") });
  });

  test("that the plan takes no further people stop the run: no row is at fault", async () => {
    await using place = await workspace({ active_contacts: 1 });
    await write(place, change("a@example.com"));
    const written = write(place, change("b@example.com"));
    expect(await failureOf(written)).toMatchObject({ kind: "unauthorized", code: "contacts_used_up", applied: "no" });
  });
});

describe("the connection", () => {
  test("sends the token bare: with a prefix Livestorm would look for it among others", async () => {
    await using place = await workspace();
    expect(await place.connection.check()).toEqual({ account: "Livestorm workspace Sandbox" });
    const prefixed = place.connect({ api_token: `Bearer ${token}` });
    expect(await failureOf(prefixed.check())).toMatchObject({ kind: "unauthorized", code: "unauthorized" });
    const reader = place.connect({ api_token: "reads-only" });
    expect(await failureOf(reader.write(batch(change("cy@example.com"))))).toMatchObject({ kind: "unauthorized" });
  });

  test("describes all of the workspace's attributes, page by page; consents cannot be written", async () => {
    const many = Array.from({ length: 230 }, (_, n) => ({ slug: `extra_${n}` }));
    await using place = await workspace({ attributes: [...attributes, ...many] });
    const { title, fields } = await place.connection.describe("registrants", { session });
    expect(title).toContain("Product tour");
    const byName = new Map(fields.map((field) => [field.name, field]));
    expect(byName.has("extra_229")).toBe(true);
    expect(fields).toHaveLength(byName.size);
    expect(byName.get("terms")).toMatchObject({ writable: false });
    expect(byName.get("company_size")).toMatchObject({
      type: "enum",
      options: [{ value: "small" }, { value: "large" }],
    });
    expect(byName.get("interests")).toMatchObject({ type: "multi_enum" });
    expect(byName.get("email")).toMatchObject({ matches: true, matching: "case_insensitive" });
  });

  test("needs a session, and one that there is", async () => {
    await using place = await workspace();
    const described = (settings: Readonly<Record<string, unknown>>): Promise<unknown> =>
      place.connection.describe("registrants", settings);
    expect(await failureOf(described({}))).toMatchObject({ kind: "refused", code: "settings_invalid" });
    expect(await failureOf(described({ session: "../people" }))).toMatchObject({ code: "settings_invalid" });
    const unknown = "7b0f3c52-91c4-4f5e-9a55-0f4f7a5b6cff";
    expect(await failureOf(described({ session: unknown }))).toMatchObject({ code: "unknown_session" });
  });

  test("keeps to five calls a second, and to those of 30 days that the workspace has", () => {
    expect(livestorm.limits({ ...config, monthly_calls: 50_000 })).toEqual([
      { name: "second", requests: 5, perMs: 1000 },
      { name: "30 days", requests: 50_000, perMs: 2_592_000_000 },
    ]);
  });

  test("tells a burst from a month that is used up, and waits as long as it is told", async () => {
    const hint = (headers: Record<string, string>): unknown =>
      livestorm.failure?.({ status: 429, headers: new Headers(headers), body: "" });
    expect(hint({})).toEqual({ code: "rate_limit", retryAfterMs: 1000 });
    expect(hint({ "retry-after": "1" })).toEqual({ code: "rate_limit" });
    await using place = await workspace();
    await place.connection.describe("registrants", { session });
    await place.strike({ kind: "failure", name: "monthly_limit" });
    expect(await failureOf(write(place, change("cy@example.com")))).toMatchObject({
      kind: "busy",
      code: "monthly_limit",
      retryAfterMs: 86_400_000,
    });
  });

  test("is limited by the sandbox as by Livestorm", () => {
    let now = 0;
    const sandbox = createSandbox({ now: () => now, seed: { monthly_calls: 8 } });
    const ask = (): number | undefined =>
      sandbox.handle({ method: "GET", path: "/v1/ping", query: {}, headers: { authorization: "t" }, body: null })
        .status;
    expect(Array.from({ length: 6 }, ask)).toEqual([200, 200, 200, 200, 200, 429]);
    now += 1001;
    expect(Array.from({ length: 4 }, ask)).toEqual([200, 200, 200, 429]);
    now += 30 * 86_400_000;
    expect(ask()).toBe(200);
  });
});
