import { createVerify, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import salesforce from "../../destinations/salesforce/index.ts";
import createSandbox from "../../destinations/salesforce/sandbox.ts";
import { connection as settings } from "../../destinations/salesforce/settings.ts";
import { outcomesOf } from "../../destinations/salesforce/answers.ts";
import type { Batch, Change, DestinationRecord } from "../../src/destination.ts";
import { failureOf, kinds } from "./checks.ts";
import { openPlace, type Place } from "./place.ts";
import fixture from "./salesforce.fixture.ts";
import { contextOf } from "./context.ts";

async function org(): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  return openPlace({ adapter: salesforce, createSandbox, fixture, object });
}

function change(seq: number, match: DestinationRecord, record: DestinationRecord = {}): Change {
  return { seq, match, record, destinationId: undefined, renamed: false };
}

function batch(changes: readonly Change[], more: Partial<Batch> = {}): Batch {
  const base = { object: "Contact", settings: {}, operation: "upsert", fields: ["LastName"], id: "1" } as const;
  return { ...base, match: ["External_Id__c"], changes, ...more };
}

const ann = batch([change(1, { External_Id__c: "1" }, { LastName: "Ann" })]);

test("a session that ended is renewed, and the write goes on", async () => {
  await using place = await org();
  await place.connection.write(ann);
  await place.strike({ kind: "failure", name: "session_ended" }, { path: "composite", times: 1 });
  expect(kinds(await place.connection.write(ann))).toEqual([[1, "accepted"]]);
});

test("an exhausted allowance is busy, although its status is that of a missing right", async () => {
  await using place = await org();
  await place.connection.describe("Contact", {});
  await place.strike({ kind: "failure", name: "request_limit" });
  expect(await failureOf(place.connection.write(ann))).toMatchObject({ kind: "busy", applied: "no", status: 403 });
  await place.calm();
  await place.strike({ kind: "failure", name: "missing_right" });
  expect(await failureOf(place.connection.write(ann))).toMatchObject({ kind: "unauthorized" });
});

test("a batch of which every row is locked is busy, and nothing was applied", async () => {
  await using place = await org();
  await place.connection.describe("Contact", {});
  await place.strike({ kind: "failure", name: "rows_locked" }, { path: "composite" });
  expect(await failureOf(place.connection.write(ann))).toMatchObject({ kind: "busy", code: "UNABLE_TO_LOCK_ROW" });
});

test("rows that lack a required field or are too long are rejected with the field, alone", async () => {
  await using place = await org();
  const rows = [
    change(1, { External_Id__c: "1" }, { FirstName: "A" }),
    change(2, { External_Id__c: "2" }, { LastName: "x".repeat(81) }),
    change(3, { External_Id__c: "3" }, { LastName: "Cy" }),
  ];
  expect(await place.connection.write(batch(rows))).toMatchObject([
    { kind: "rejected", code: "REQUIRED_FIELD_MISSING", field: "LastName" },
    { kind: "rejected", code: "STRING_TOO_LONG", field: "LastName" },
    { kind: "accepted" },
  ]);
});

test("by Id records are updated, never made", async () => {
  await using place = await org();
  const [written] = await place.connection.write(ann);
  const id = (written?.kind === "accepted" && written.destinationId) || "";
  const rows = [
    change(1, { Id: id.slice(0, 15) }, { LastName: "Anna" }),
    change(2, { Id: "003000000000000" }, { LastName: "B" }),
  ];
  expect(kinds(await place.connection.write(batch(rows, { match: ["Id"] })))).toEqual([
    [1, "accepted"],
    [2, "rejected"],
  ]);
  expect(Object.values(place.contents()["Contact"] ?? {})).toMatchObject([{ LastName: "Anna" }]);
});

test("errors in an answer whose ids contradict what was known leave their rows in doubt", () => {
  const rows = [1, 2, 3, 4].map((seq) => change(seq, {}));
  const refused = (statusCode: string) => ({ success: false, errors: [{ statusCode, message: "no", fields: [] }] });
  const owners = new Map([["b", 2]]);
  const won = { id: "b", success: true, errors: [] };
  const asSent = [refused("A"), won, refused("B"), refused("C")];
  expect(kinds(outcomesOf(rows, asSent, owners)).map(([, kind]) => kind)).toEqual([
    "rejected",
    "accepted",
    "rejected",
    "rejected",
  ]);
  for (const answer of [[won, ...asSent.filter((one) => one !== won)], asSent.slice(1)])
    expect(kinds(outcomesOf(rows, answer, owners)).map(([, kind]) => kind)).toEqual([
      "in_doubt",
      "accepted",
      "in_doubt",
      "in_doubt",
    ]);
});

test("fields are described as they are taken", async () => {
  await using place = await org();
  const { fields } = await place.connection.describe("Contact", {});
  const field = (name: string): unknown => fields.find((one) => one.name === name);
  expect(field("LastName")).toMatchObject({ required: true, maxLength: 80 });
  expect(field("Email")).toMatchObject({ matches: false });
  expect(field("MailingAddress")).toMatchObject({ writable: false });
  expect(field("Id")).toMatchObject({ matches: true, writable: false });
});

test("a JWT assertion is signed with the key, for the user and the login address", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const config = settings.parse({
    client_id: "app",
    username: "robot@acme.example",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    base_url: "http://127.0.0.1:1",
    login_url: "https://test.salesforce.com",
  });
  let assertion = "";
  const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    if (!String(url).startsWith("https://test.salesforce.com/")) return Response.json({ sobjects: [] });
    assertion = new URLSearchParams(typeof init?.body === "string" ? init.body : "").get("assertion") ?? "";
    return Response.json({ access_token: "t" });
  };
  await salesforce.connect(config, contextOf(fetch)).check();
  const [head = "", claims = "", signature = ""] = assertion.split(".");
  const verifier = createVerify("RSA-SHA256").update(`${head}.${claims}`);
  expect(verifier.verify(publicKey, Buffer.from(signature, "base64url"))).toBe(true);
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
    iss: "app",
    sub: "robot@acme.example",
    aud: "https://test.salesforce.com",
  });
});
