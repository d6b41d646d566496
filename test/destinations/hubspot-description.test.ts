/** Both sides of each exchange, the adapter's requests and the sandbox's answers, are as HubSpot describes its API. */
import { describe, expect, test } from "vitest";
import hubspot from "../../destinations/hubspot/index.ts";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import type { Batch, Change, DestinationRecord, Operation } from "../../src/destination.ts";
import { Descriptions, descriptionsOf, type Misfit } from "../openapi.ts";
import { deliver } from "./checks.ts";
import fixture from "./hubspot.fixture.ts";
import { openPlace, type Place } from "./place.ts";

const folder = descriptionsOf("hubspot-2026-09");
const token = "pat-na1-0f1e2d3c-suite";
const unique = (name: string): object => ({ name, hasUniqueValue: true });
const seed = {
  tokens: [{ token }, { token: "reader", scopes: ["crm.objects.contacts.read"] }],
  properties: {
    contacts: [{ name: "score", type: "number" }],
    companies: [unique("account_number")],
    deals: [unique("deal_number")],
    tickets: [unique("ticket_number")],
  },
  customObjects: [{ name: "machines", label: "Machines", properties: [unique("serial"), { name: "model" }] }],
};

async function account(limits = false): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  return openPlace({
    adapter: hubspot,
    createSandbox,
    fixture: { ...fixture, seed },
    object,
    sandbox: { limits },
  });
}

/** What the description asks for and HubSpot does not, by its own examples. */
const stricterThanHubSpot = [/must have required property '(associations|propertiesWithHistory)'/];

async function misfits(place: Place, descriptions: Descriptions): Promise<readonly Misfit[]> {
  const exchanges = await place.asked();
  expect(exchanges.length).toBeGreaterThan(0);
  return exchanges
    .filter(({ path }) => !path.startsWith("/account-info/"))
    .flatMap((exchange) => descriptions.misfits(exchange))
    .filter(({ message }) => !stricterThanHubSpot.some((known) => known.test(message)));
}

const change = (seq: number, match: DestinationRecord, record: DestinationRecord, id?: string): Change => ({
  seq,
  match,
  record,
  destinationId: id,
  renamed: false,
});

function batch(object: string, operation: Operation, changes: readonly Change[], settings = {}): Batch {
  const fields = [...new Set(changes.flatMap(({ record }) => Object.keys(record)))];
  return { object, settings, operation, fields, match: Object.keys(changes[0]?.match ?? {}), changes, id: "batch" };
}

const objects = [
  ["contacts", "email", { firstname: "Ada" }],
  ["companies", "account_number", { name: "Analytical Engines" }],
  ["deals", "deal_number", { dealname: "First" }],
  ["tickets", "ticket_number", { subject: "Help" }],
  ["machines", "serial", { model: "II" }],
] as const;

describe.skipIf(folder === null)("HubSpot's description of API 2026-09", () => {
  const files = ["objects.json", "properties.json", "lists.json", "schemas.json"];
  const descriptions = folder === null ? null : new Descriptions(folder, files);
  const check = async (place: Place): Promise<void> => {
    expect(descriptions && (await misfits(place, descriptions))).toEqual([]);
  };

  test("finds what is wrong", () => {
    const exchange = { method: "POST", query: {}, status: 200, responseBody: {} };
    const path = "/crm/objects/2026-09/contacts/batch/upsert";
    const found = descriptions?.misfits({ ...exchange, path, requestBody: { inputs: [{ id: 7 }] } }) ?? [];
    expect(found.map(({ part }) => part)).toEqual(expect.arrayContaining(["request", "response"]));
    expect(descriptions?.misfits({ ...exchange, path: "/crm/nothing", requestBody: {} })).toMatchObject([
      { operation: null, part: "path" },
    ]);
  });

  test("looking around", async () => {
    await using place = await account();
    await place.connection.check();
    await place.connection.objects();
    for (const [object] of objects) await place.connection.describe(object, {});
    await check(place);
  });

  test.each(objects)("%s: every operation, with rows that are refused", async (object, match, record) => {
    await using place = await account();
    const rows = (text: string): Change[] =>
      [1, 2, 3].map((seq) =>
        change(seq, { [match]: match === "email" ? `${text}${seq}@example.com` : `${text}-${seq}` }, record),
      );
    const first = await deliver(place, batch(object, "upsert", rows("a")));
    const known = rows("a").map((one) => {
      const outcome = first.find(({ seq }) => seq === one.seq);
      return { ...one, destinationId: outcome?.kind === "accepted" ? outcome.destinationId : undefined };
    });
    await deliver(place, batch(object, "upsert", known));
    await deliver(place, batch(object, "insert", rows("b")));
    await deliver(place, batch(object, "insert", rows("b")));
    await deliver(place, batch(object, "update", [...rows("b"), change(9, { [match]: "none@example.com" }, record)]));
    await deliver(
      place,
      batch(object, "upsert", [...rows("c"), change(9, { [match]: "d@example.com" }, { no_such: "x" })]),
    );
    await deliver(
      place,
      batch(
        object,
        "clear",
        rows("b").map((one) => ({ ...one, record: { [Object.keys(record)[0] ?? ""]: null } })),
      ),
    );
    await deliver(place, batch(object, "archive", known));
    await deliver(place, batch(object, "archive", [...rows("c"), change(9, { [match]: "none@example.com" }, {})]));
    await check(place);
  });

  test("lists: found, made, members added and removed", async () => {
    await using place = await account();
    const people = [1, 2, 3].map((seq) => change(seq, { email: `p${seq}@example.com` }, { firstname: "P" }));
    await deliver(place, batch("contacts", "upsert", people));
    const settings = { list: "Churn risk", of: "contacts", create: true };
    await place.connection.describe("list_memberships", settings);
    const members = [...people, change(9, { email: "nobody@example.com" }, {})].map((one) => ({ ...one, record: {} }));
    await deliver(place, batch("list_memberships", "upsert", members, settings));
    await deliver(place, batch("list_memberships", "archive", members.slice(0, 2), settings));
    await check(place);
  });

  test("refusals: a wrong token, a missing scope, a limit", async () => {
    await using place = await account(true);
    await place
      .connect({ access_token: "expired" })
      .check()
      .catch(() => undefined);
    const reader = place.connect({ access_token: "reader" });
    const one = batch("contacts", "upsert", [change(1, { email: "a@example.com" }, { firstname: "A" })]);
    await reader.write(one).catch(() => undefined);
    for (let times = 0; times < 195; times += 1) await place.connection.write(one).catch(() => undefined);
    const statuses = new Set((await place.asked()).map(({ status }) => status));
    expect(statuses).toContain(429);
    await check(place);
  });
});
