/** A contact's company, by the id that HubSpot gave it. */
import { expect, test } from "vitest";
import { Business, type RunJson } from "./business.ts";

const people = `
---
kind: model
name: people
source: warehouse
sql: select 'p' || id || '@example.com' as email, 'A' || id as account_id from range(1, 11) t(id)
key: email
---
kind: sync
name: people
from: { model: people }
to: { destination: hubspot, object: contacts }
mode: upsert
match: { email: email }
fields: { company: { lookup: companies, by: account_id } }
`;

async function withPeople(documents = people): Promise<Business> {
  const business = await Business.open(8);
  business.write("workspace.yaml", business.read("workspace.yaml") + documents);
  return business;
}

async function runPeople(business: Business): Promise<RunJson> {
  return JSON.parse((await business.sluice(["--json", "run", "people"])).stdout) as RunJson;
}

function companiesOfPeople(business: Business): Record<string, string> {
  const contacts = Object.values(business.sandbox.sandbox.contents()["contacts"] ?? {}) as Record<string, string>[];
  return Object.fromEntries(contacts.flatMap(({ email = "", company }) => (company ? [[email, company]] : [])));
}

test("a record names the other by the destination's own id, as soon as that is there", async () => {
  await using business = await withPeople();
  expect(await runPeople(business)).toMatchObject({ status: "succeeded", planned: { added: 10 }, accepted: 10 });
  expect(companiesOfPeople(business)).toEqual({});

  await business.run();
  expect(await runPeople(business)).toMatchObject({ planned: { added: 0, changed: 7 }, accepted: 7 });
  const companies = Object.entries(business.sandbox.sandbox.contents()["companies"] ?? {}) as [
    string,
    Record<string, string>,
  ][];
  const ids = new Map(companies.map(([id, company]) => [company["account_id"], id]));
  // The fifth account pays nothing, the ninth and tenth there are not.
  const paying = [1, 2, 3, 4, 6, 7, 8];
  const expected = paying.map((n) => [`p${n}@example.com`, ids.get(`A${n}`)]);
  expect(companiesOfPeople(business)).toEqual(Object.fromEntries(expected));
  expect(await runPeople(business)).toMatchObject({ planned: { added: 0, changed: 0 }, requests: 0 });
});

test.each([
  ["unknown_reference", people.replace("lookup: companies", "lookup: compnies"), "companies"],
  [
    "lookup_impossible",
    people.replace("to: { destination: hubspot, object: contacts }", "to: { destination: other, object: contacts }"),
    "other",
  ],
  ["unknown_column", people.replace("by: account_id", "by: acount_id"), "account_id"],
])("a lookup that leads nowhere is told before anything is sent: %s", async (_, documents, told) => {
  const other = `---
kind: destination
name: other
type: hubspot
connection: { access_token: "\${env:TOKEN}", base_url: "\${env:HUBSPOT}" }
`;
  await using business = await withPeople(`${documents}${other}`);
  const { code, stdout, stderr } = await business.sluice(["run", "people"]);
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain(told);
  expect(business.sandbox.sandbox.contents()["contacts"] ?? {}).toEqual({});
});

test("a source that is only read looks nothing up, and says so", async () => {
  await using business = await Business.open(8, { planner: "{ in: local }" });
  business.write("workspace.yaml", business.read("workspace.yaml") + people);
  expect(await runPeople(business)).toMatchObject({ status: "failed", failure: { code: "lookup_unsupported" } });
});
