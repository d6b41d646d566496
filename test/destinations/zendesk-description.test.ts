/** Both sides of each exchange, the adapter's requests and the sandbox's answers, are as Zendesk describes its API. */
import { describe, expect, test } from "vitest";
import type { Change, DestinationRecord, Removal } from "../../src/destination.ts";
import { Descriptions, descriptionsOf } from "../openapi.ts";
import { deliver, failureOf } from "./checks.ts";
import type { Place } from "./place.ts";
import { account, ada, batch, change, organizations } from "./zendesk.account.ts";

const folder = descriptionsOf("zendesk");

const objects = [
  ["users", "external_id", { name: "Ada", "user_fields.tier": "tier_gold", tags: ["a"] }, { organization_id: 404 }],
  ["users", "email", { name: "Ada", "user_fields.score": 1.5, phone: null }, { organization_id: 404 }],
  [
    "organizations",
    "external_id",
    { "organization_fields.plan": "pro", domain_names: ["a.example"] },
    { group_id: 404 },
  ],
  ["organizations", "name", { notes: "N", "organization_fields.mrr": 1.5 }, { group_id: 404 }],
] as const satisfies readonly (readonly [string, string, DestinationRecord, DestinationRecord])[];

describe.skipIf(folder === null)("Zendesk's description of its Support API", () => {
  const descriptions = folder === null ? null : new Descriptions(folder, ["support.json"]);
  const check = async (place: Place): Promise<void> => {
    const exchanges = await place.asked();
    expect(exchanges.length).toBeGreaterThan(0);
    expect(exchanges.flatMap((exchange) => descriptions?.misfits(exchange) ?? [])).toEqual([]);
  };

  test("finds what is wrong", () => {
    const exchange = { method: "POST", query: { when: "now" }, status: 200, responseBody: { job_status: { id: 7 } } };
    const path = "/api/v2/users/create_or_update_many";
    const found = descriptions?.misfits({ ...exchange, path, requestBody: { people: [] } }) ?? [];
    expect(new Set(found.map(({ part }) => part))).toEqual(new Set(["query", "request", "response"]));
    expect(descriptions?.misfits({ ...exchange, path: "/api/v2/nothing", requestBody: {} })).toMatchObject([
      { operation: null, part: "path" },
    ]);
  });

  test("looking around", async () => {
    await using place = await account();
    await place.connection.check();
    await place.connection.describe("users", {});
    await place.connection.describe("organizations", {});
    await check(place);
  });

  test.each(objects)("%s by %s: every operation, with rows that are refused", async (object, match, record, bad) => {
    await using place = await account({ job_ms: 30 });
    const named = object === "organizations" && match === "external_id";
    const rows = (text: string): Change[] =>
      [1, 2, 3].map((seq) => {
        const value = match === "email" ? `${text}${seq}@example.com` : `${text}-${seq}`;
        return change({ [match]: value }, { ...record, ...(named ? { name: `Name ${value}` } : {}) }, { seq });
      });
    const write = (changes: readonly Change[], operation: "upsert" | "update" | "insert" | Removal): Promise<unknown> =>
      deliver(place, batch(changes, { object, operation }));
    const first = await deliver(place, batch(rows("a"), { object }));
    expect(first.map(({ kind }) => kind)).toEqual(["accepted", "accepted", "accepted"]);
    const known = rows("a").map((one) => {
      const outcome = first.find(({ seq }) => seq === one.seq);
      return { ...one, destinationId: outcome?.kind === "accepted" ? outcome.destinationId : undefined };
    });
    await write(known, "upsert");
    await write(rows("a"), "upsert");
    await write(rows("b"), "insert");
    await write(rows("b"), "insert");
    await write([...rows("b"), ...rows("none").map((one) => ({ ...one, seq: one.seq + 10 }))], "update");
    const wrong = rows("d").map((one) => ({ ...one, seq: one.seq + 20, record: { ...one.record, ...bad } }));
    await write([...rows("c"), ...wrong], "upsert");
    await write(
      rows("b").map((one) => ({ ...one, record: { [Object.keys(record)[1] ?? ""]: null } })),
      "clear",
    );
    if (object === "users") await write(rows("b"), "archive");
    await write(known, "delete");
    await write(known, "delete");
    await check(place);
  });

  test("what belongs to users alone: e-mail addresses, and both identities at once", async () => {
    await using place = await account();
    const moved = { name: "Ada", email: "ada@new.example" };
    await deliver(place, batch([change({ external_id: "ada-1" }, moved, { destinationId: ada })]));
    await deliver(place, batch([change({ email: "bo@home.example" }, { external_id: "bo-1" })]));
    await deliver(place, batch([change({ email: "bo@home.example" }, { notes: "x" })], { operation: "update" }));
    await deliver(place, batch([change({ external_id: "a,b" }, { notes: "x" })], { operation: "update" }));
    await deliver(
      place,
      batch([change({ external_id: "a,b" }, { notes: "x" })], { ...organizations, operation: "update" }),
    );
    expect((await place.asked()).map(({ path }) => path)).toContainEqual(expect.stringMatching(/make_primary$/));
    await check(place);
  });

  test("asks for nothing else where it is refused", async () => {
    await using place = await account({ bulk_import: false });
    await failureOf(place.connect({ api_token: "wrong" }).check());
    await failureOf(place.connection.write(batch([change({ external_id: "x" }, { name: "X" })])));
    const misfits = (await place.asked()).flatMap((exchange) => descriptions?.misfits(exchange) ?? []);
    // Zendesk describes no refusals.
    expect(misfits.filter(({ message }) => !/^status 40[13] is not described$/.test(message))).toEqual([]);
  });
});
