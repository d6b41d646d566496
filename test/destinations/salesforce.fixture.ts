/** Salesforce for the suite: a standard and a custom object, each by an external id. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const secret = "3MVG9-suite-secret";

function held(object: string, match: string, fields: readonly string[]): ObjectFixture["held"] {
  return (contents) => {
    const records = Object.entries((contents[object] ?? {}) as Record<string, Record<string, string | number>>);
    return new Map(
      records.map(([id, values]): [string, HeldRecord] => [
        String(values[match] ?? ""),
        {
          id,
          record: Object.fromEntries(fields.flatMap((name) => (name in values ? [[name, values[name] ?? null]] : []))),
        },
      ]),
    );
  };
}

const fixture: DestinationFixture = {
  connection: { client_id: "suite-app", client_secret: secret },
  refusedCredential: { client_secret: "expired" },
  seed: {
    objects: [
      {
        name: "Machine__c",
        label: "Machine",
        fields: [
          { name: "Serial__c", length: 40, externalId: true, idLookup: true, unique: true },
          { name: "Model__c", length: 40 },
          { name: "Score__c", type: "double" },
          {
            name: "Stage__c",
            type: "picklist",
            restrictedPicklist: true,
            picklistValues: [{ value: "new", label: "New", active: true }],
          },
        ],
      },
    ],
  },
  objects: [
    {
      name: "Case",
      settings: {},
      match: "External_Id__c",
      matchValue: (n) => `C-${n}`,
      record: (n, revision) => ({ Subject: `Subject ${n}.${revision}`, SuppliedName: `Name ${n}.${revision}` }),
      bad: { SuppliedName: "x".repeat(81) },
      held: held("Case", "External_Id__c", ["Subject", "SuppliedName"]),
    },
    {
      name: "Machine__c",
      settings: {},
      match: "Serial__c",
      matchValue: (n) => `S'${n}\\`,
      record: (n, revision) => ({ Model__c: `Model ${n}.${revision}`, Score__c: n * 10 + revision }),
      bad: { Stage__c: "no such stage" },
      held: held("Machine__c", "Serial__c", ["Model__c", "Score__c"]),
    },
  ],
};

export default fixture;
