/** HubSpot for the suite: contacts by e-mail, companies by a property with unique values. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const token = "pat-na1-0f1e2d3c-suite";

function held(object: string, match: string, fields: readonly string[]): ObjectFixture["held"] {
  return (contents) => {
    const records = Object.entries((contents[object] ?? {}) as Record<string, Record<string, string>>);
    return new Map(
      records.map(([id, properties]): [string, HeldRecord] => [
        properties[match] ?? "",
        {
          id,
          record: Object.fromEntries(
            fields.flatMap((name) => (properties[name] === undefined ? [] : [[name, properties[name]]])),
          ),
        },
      ]),
    );
  };
}

const fixture: DestinationFixture = {
  connection: { access_token: token },
  refusedCredential: { access_token: "expired" },
  seed: {
    tokens: [{ token }],
    properties: { companies: [{ name: "account_number", label: "Account number", hasUniqueValue: true }] },
  },
  objects: [
    {
      name: "contacts",
      settings: {},
      match: "email",
      matchValue: (n) => `person${n}@example.com`,
      record: (n, revision) => ({ firstname: `First ${n}.${revision}`, city: `City ${n}.${revision}` }),
      bad: { lifecyclestage: "no such stage" },
      held: held("contacts", "email", ["firstname", "city"]),
    },
    {
      name: "companies",
      settings: {},
      match: "account_number",
      matchValue: (n) => `A-${n}`,
      record: (n, revision) => ({ name: `Company ${n}.${revision}`, numberofemployees: String(n * 10 + revision) }),
      bad: { annualrevenue: "a lot" },
      held: held("companies", "account_number", ["name", "numberofemployees"]),
    },
  ],
};

export default fixture;
