import { describe, expect, test } from "vitest";
import intercom from "../../destinations/intercom/index.ts";
import createSandbox from "../../destinations/intercom/sandbox.ts";
import type { Change, Connection, DestinationRecord } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import type { Place } from "./place.ts";
import {
  ada,
  asked,
  batch,
  change,
  company,
  heldCompany,
  heldContacts,
  workspace,
  write,
} from "./intercom.workspace.ts";
import { contextOf } from "./context.ts";

const config = { access_token: "dG9rOmludGVyY29tLXN1aXRl", region: "us", base_url: "http://127.0.0.1:1" } as const;

/** A connection to an Intercom that answers every request about records alike. */
function answeredWith(body: unknown, status = 200): Connection {
  return intercom.connect(
    config,
    contextOf(async (url) => {
      if (!String(url).includes("/data_attributes")) return new Response(JSON.stringify(body), { status });
      return Response.json({ data: [{ name: "plan", data_type: "string", custom: true }] });
    }),
  );
}

describe("values", () => {
  test("that are times are sent as whole seconds", async () => {
    await using place = await workspace();
    const times = { signed_up_at: "2026-11-23T09:30:00.999Z", "custom_attributes.renews_at": "2027-01-01T00:00:00Z" };
    expect(await write(place, change({ external_id: "ada" }, times))).toMatchObject({ kind: "accepted" });
    expect(heldContacts(place)[ada]).toMatchObject({
      standard: { signed_up_at: 1_795_426_200 },
      custom: { renews_at: 1_798_761_600 },
    });
  });

  const refused: readonly (readonly [string, string, DestinationRecord])[] = [
    ["text that Intercom would cut off", "too_long", { "custom_attributes.plan": "x".repeat(256) }],
    ["a fraction for a whole number", "not_an_integer", { "custom_attributes.seats": 1.5 }],
    ["text for a boolean", "not_a_boolean", { "custom_attributes.vip": "yes" }],
    ["what is no time", "not_a_time", { last_seen_at: "soon" }],
    ["what is no e-mail address", "not_an_email", { email: "ada" }],
    ["an e-mail address taken away", "not_clearable", { email: null }],
    ["what is no option of a list", "not_an_option", { "custom_attributes.tier": "bronze" }],
    ["an attribute that the API may not write", "not_writable", { "custom_attributes.computed": "x" }],
    ["an archived attribute", "unknown_field", { "custom_attributes.former": "x" }],
    ["an attribute that there is not", "unknown_field", { "custom_attributes.nope": "x" }],
  ];
  test.each(refused)("are refused before anything is sent: %s", async (_what, code, record) => {
    await using place = await workspace();
    const field = Object.keys(record)[0];
    const outcome = await write(place, change({ external_id: "ada" }, { name: "X", ...record }));
    expect(outcome).toMatchObject({ kind: "rejected", code, field });
    expect(await asked(place)).toEqual([]);
  });

  test("that Intercom quietly keeps as they were are rejected", async () => {
    await using place = await workspace({ fixed_fields: ["name"] });
    for (const name of ["Eve", "Ada Lovelace", null]) {
      const outcome = await write(place, change({ external_id: "ada" }, { name }, { destinationId: ada }));
      expect(outcome).toMatchObject({ kind: "rejected", code: "not_kept", field: "name" });
    }
    const tidied = await write(place, change({ external_id: "ada" }, { name: "  ADA " }, { destinationId: ada }));
    expect(tidied).toMatchObject({ kind: "accepted" });
  });
});

describe("companies", () => {
  test("are made or changed in one request, by company_id", async () => {
    await using place = await workspace();
    const plan = (name: string): DestinationRecord => ({ plan: name, "custom_attributes.health": 0.75 });
    for (const company_id of ["acme", "new"])
      expect(await write(place, change({ company_id }, plan("Max")), company)).toEqual({ seq: 1, kind: "accepted" });
    expect(await asked(place)).toEqual(["POST /companies", "POST /companies"]);
    expect(heldCompany(place, "acme")).toMatchObject({ standard: { name: "Acme", plan: "Max" } });
    expect(heldCompany(place, "new")?.custom).toEqual({ health: 0.75 });
  });

  test("are updated only if they are there", async () => {
    await using place = await workspace();
    const update = { ...company, operation: "update" } as const;
    expect(await write(place, change({ company_id: "acme" }, { name: "A" }), update)).toMatchObject({
      kind: "accepted",
    });
    const missing = await write(place, change({ company_id: "nobody" }, { name: "N" }), update);
    expect(missing).toMatchObject({ kind: "rejected", code: "not_found", field: "company_id" });
    expect(heldCompany(place, "nobody")).toBe(undefined);
  });

  test("are never renamed: a row with another company_id is not made a second company", async () => {
    await using place = await workspace();
    const moved = change({ company_id: "elsewhere" }, { name: "E" }, { renamed: true });
    expect(await write(place, moved, company)).toMatchObject({ kind: "rejected", code: "company_id_fixed" });
    expect(heldCompany(place, "elsewhere")).toBe(undefined);
  });

  test("take a monthly spend that Intercom would not cut off or bound, and no other", async () => {
    await using place = await workspace();
    const spend = (monthly_spend: number): Change => change({ company_id: "acme" }, { monthly_spend });
    for (const amount of [155.98, 2 ** 31])
      expect(await write(place, spend(amount), company)).toMatchObject({
        code: "not_kept_whole",
        field: "monthly_spend",
      });
    expect(await write(place, spend(2 ** 31 - 1), company)).toMatchObject({ kind: "accepted" });
  });

  test("that are removed are deleted, or cleared; again does no harm, and none is made", async () => {
    await using place = await workspace();
    const cleared = change({ company_id: "acme" }, { plan: null });
    await write(place, cleared, { ...company, operation: "clear" });
    expect(heldCompany(place, "acme")?.standard).toEqual({ name: "Acme" });
    for (const operation of ["delete", "delete", "clear"] as const)
      expect(await write(place, cleared, { ...company, operation })).toMatchObject({ kind: "accepted" });
    expect(heldCompany(place, "acme")).toBe(undefined);
  });

  test("are found in either form of answer that Intercom is said to give", async () => {
    const acme = { type: "company", id: "1", company_id: "acme", custom_attributes: {} };
    const update = batch(change({ company_id: "acme" }), { ...company, operation: "update" });
    for (const body of [acme, { type: "list", data: [{ ...acme, company_id: "other" }, acme] }])
      expect(kinds(await answeredWith(body).write(update))).toEqual([[1, "accepted"]]);
    const others = answeredWith({ type: "list", data: [{ ...acme, company_id: "other" }] });
    expect(kinds(await others.write(update))).toEqual([[1, "rejected"]]);
  });

  test("cannot be inserted: Intercom has no call that makes one and never changes one", async () => {
    await using place = await workspace();
    const insert = write(place, change({ company_id: "acme" }), { ...company, operation: "insert" });
    expect(await failureOf(insert)).toMatchObject({ kind: "refused", code: "operation_unsupported" });
    expect((await place.connection.describe("companies", {})).modes).not.toContain("insert");
  });
});

describe("contacts of companies", () => {
  const pairs = { object: "company_contacts" } as const;
  const attached = (place: Place, id: string): readonly string[] => heldContacts(place)[id]?.companies ?? [];
  const acmeId = "6762f0dd1bb69f9f30000001";

  test("are attached by either identifier, again without harm, and detached again", async () => {
    await using place = await workspace();
    for (const end of [{ external_id: "ada" }, { email: "ADA@example.com" }]) {
      const pair = change({ company_id: "acme", ...end });
      for (let times = 0; times < 2; times += 1)
        expect(await write(place, pair, pairs)).toEqual({ seq: 1, kind: "accepted" });
      expect(attached(place, ada)).toEqual([acmeId]);
      for (let times = 0; times < 2; times += 1)
        expect(await write(place, pair, { ...pairs, operation: "delete" })).toMatchObject({ kind: "accepted" });
      expect(attached(place, ada)).toEqual([]);
    }
  });

  test("ask for a company once, however many contacts it has", async () => {
    await using place = await workspace();
    for (const external_id of ["ada", "into"]) await write(place, change({ company_id: "acme", external_id }), pairs);
    expect((await asked(place)).filter((one) => one === "GET /companies")).toHaveLength(1);
  });

  test("need both ends: what is missing is named, and has nothing to be detached from", async () => {
    await using place = await workspace();
    const noContact = change({ company_id: "acme", external_id: "nobody" });
    const noCompany = change({ company_id: "nothing", external_id: "ada" });
    const merged = change({ company_id: "acme", external_id: "gone" });
    expect(await write(place, noContact, pairs)).toMatchObject({ code: "contact_not_found", field: "external_id" });
    expect(await write(place, noCompany, pairs)).toMatchObject({ code: "company_not_found", field: "company_id" });
    expect(await write(place, merged, pairs)).toMatchObject({ code: "contact_merged" });
    for (const pair of [noContact, noCompany, merged])
      expect(await write(place, pair, { ...pairs, operation: "delete" })).toMatchObject({ kind: "accepted" });
  });

  test("are not moved: what the former pair is still needed for, one row cannot tell", async () => {
    await using place = await workspace();
    const moved = change({ company_id: "acme", external_id: "ada" }, {}, { renamed: true });
    expect(await write(place, moved, pairs)).toMatchObject({ kind: "rejected", code: "pair_changed" });
    expect(attached(place, ada)).toEqual([]);
  });

  test("are matched by a company and one identifier of the contact, not less", async () => {
    await using place = await workspace();
    for (const match of [{ company_id: "acme" }, { external_id: "ada" }, { external_id: "ada", email: "a@b.c" }])
      expect(await failureOf(write(place, change(match), pairs))).toMatchObject({ code: "match_incomplete" });
  });

  test("are believed only if the answer shows the company", async () => {
    await using place = await workspace();
    await place.strike({ kind: "silent" }, { method: "POST", path: "/companies" });
    const pair = change({ company_id: "acme", external_id: "ada" });
    expect(await write(place, pair, pairs)).toMatchObject({ kind: "in_doubt" });
  });
});

describe("answers", () => {
  const shown = { type: "contact", id: ada, external_id: "ada", custom_attributes: { plan: "pro" } };
  const sent = batch(change({ external_id: "ada" }, { "custom_attributes.plan": "pro" }));

  test("that show the record with what was sent are believed, and no others", async () => {
    expect(await answeredWith(shown).write(sent)).toEqual([{ seq: 1, kind: "accepted", destinationId: ada }]);
    for (const other of [{}, null, [], { ...shown, external_id: "other" }, { ...shown, custom_attributes: undefined }])
      expect(kinds(await answeredWith(other).write(sent))).toEqual([[1, "in_doubt"]]);
    for (const custom_attributes of [{}, { plan: "pr" }])
      expect(await answeredWith({ ...shown, custom_attributes }).write(sent)).toMatchObject([{ code: "not_kept" }]);
  });

  test("of a removal that do not say that the record is gone leave it in doubt", async () => {
    const removal = batch(change({ external_id: "ada" }, {}, { destinationId: ada }), { operation: "delete" });
    for (const other of [{}, { id: "other", deleted: true }, { id: ada, deleted: false }])
      expect(kinds(await answeredWith(other).write(removal))).toEqual([[1, "in_doubt"]]);
  });

  test("that are not JSON may have been applied", async () => {
    const broken = intercom.connect(
      config,
      contextOf(async (url) =>
        String(url).includes("/data_attributes") ? Response.json({ data: [] }) : new Response("<html>"),
      ),
    );
    const write = broken.write(batch(change({ external_id: "ada" })));
    expect(await failureOf(write)).toMatchObject({ kind: "unavailable", code: "not_json", applied: "unknown" });
  });

  test("that refuse are told with Intercom's code and field", async () => {
    const errors = [{ code: "parameter_invalid", message: "email is invalid", field: "email" }];
    const outcomes = await answeredWith({ type: "error.list", errors }, 400).write(sent);
    expect(outcomes).toEqual([{ seq: 1, kind: "rejected", ...errors[0] }]);
  });
});

describe("the connection", () => {
  test("tells the workspace, and needs a token that is known", async () => {
    await using place = await workspace();
    expect(await place.connection.check()).toEqual({ account: "Intercom workspace Sandbox (sandbox, US)" });
    const reader = place.connect({ access_token: "reads-only" });
    expect(await failureOf(reader.write(batch(change({ external_id: "cy" }))))).toMatchObject({
      kind: "unauthorized",
      code: "action_forbidden",
    });
  });

  test("asks Intercom where the workspace is hosted, in one version, with the token in a header only", async () => {
    const seen: [string, Headers][] = [];
    const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
      seen.push([String(url), new Headers(init?.headers)]);
      return Response.json({ data: [] });
    };
    for (const region of ["us", "eu", "au"] as const)
      await intercom.connect({ access_token: "t", region }, contextOf(fetch)).describe("contacts", {});
    expect(seen.map(([url]) => new URL(url).host)).toEqual([
      "api.intercom.io",
      "api.eu.intercom.io",
      "api.au.intercom.io",
    ]);
    for (const [, headers] of seen)
      expect([headers.get("intercom-version"), headers.get("authorization")]).toEqual(["2.16", "Bearer t"]);
  });

  test("describes the workspace's own attributes, those that can be written and those that cannot", async () => {
    await using place = await workspace();
    const { fields } = await place.connection.describe("contacts", {});
    const byName = new Map(fields.map((field) => [field.name, field]));
    expect(byName.get("custom_attributes.seats")).toMatchObject({ type: "integer", writable: true });
    expect(byName.get("custom_attributes.renews_at")).toMatchObject({ type: "datetime" });
    expect(byName.get("custom_attributes.plan")).toMatchObject({ type: "text", maxLength: 255 });
    expect(byName.get("custom_attributes.computed")).toMatchObject({ writable: false });
    expect(byName.has("custom_attributes.former")).toBe(false);
    expect(byName.get("custom_attributes.tier")).toMatchObject({
      type: "enum",
      options: [
        { value: "gold", title: "gold" },
        { value: "silver", title: "silver" },
      ],
    });
  });

  test("takes no settings for an object, and says so", async () => {
    await using place = await workspace();
    const described = place.connection.describe("contacts", { list: "x" });
    expect(await failureOf(described)).toMatchObject({ kind: "refused", code: "settings_invalid" });
  });

  test("waits until the slice ends, by Intercom's own clock", () => {
    const told = (headers: Record<string, string>): number | undefined =>
      intercom.failure?.({ status: 429, headers: new Headers(headers), body: "" })?.retryAfterMs;
    const date = "Mon, 23 Nov 2026 09:30:00 GMT";
    expect(told({ date, "x-ratelimit-reset": "1795426204" })).toBe(4000);
    expect(told({ date, "x-ratelimit-reset": "1795426200" })).toBe(1000);
    for (const odd of [{}, { date }, { date, "x-ratelimit-reset": "never" }, { date, "x-ratelimit-reset": "1" }])
      expect(told(odd)).toBe(10_000);
    expect(told({ "retry-after": "3" })).toBe(undefined);
  });

  test("is told to wait by the sandbox as by Intercom, and gets on when the slice is over", async () => {
    let now = 1_795_426_200_000;
    const sandbox = createSandbox({ now: () => now });
    const request = { method: "GET", path: "/me", query: {}, headers: { authorization: "Bearer t" }, body: null };
    const answers = Array.from({ length: 1668 }, () => sandbox.handle(request).status);
    expect(answers.indexOf(429)).toBe(1667);
    now += 10_001;
    expect(sandbox.handle(request).status).toBe(200);
  });
});
