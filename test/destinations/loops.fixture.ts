/** Loops for the suite: contacts by e-mail address. */
import type { DestinationFixture, HeldRecord } from "./place.ts";

export const key = "d2d561f5ff80136f69b4b5a31b9fb3c9";

const fixture: DestinationFixture = {
  connection: { api_key: key },
  refusedCredential: { api_key: "revoked-b31c" },
  seed: {
    keys: [key],
    properties: [
      { key: "plan", label: "Plan", type: "string" },
      { key: "seats", label: "Seats", type: "number" },
      { key: "renewsAt", label: "Renews at", type: "date" },
    ],
  },
  objects: [
    {
      name: "contacts",
      settings: {},
      tellsNoIds: "nothing is found by Loops's id",
      match: "email",
      matchValue: (n) => `person-${n}@customer.example`,
      record: (n, revision) => ({ firstName: `Name ${n}.${revision}`, seats: n * 10 + revision }),
      bad: { seats: "many" },
      held: (contents) => {
        const contacts = Object.entries(
          (contents["contacts"] ?? {}) as Record<string, Record<string, string | number>>,
        );
        return new Map(
          contacts.map(([id, contact]): [string, HeldRecord] => {
            const named = ["firstName", "seats"].filter((name) => contact[name] != null);
            return [
              String(contact["email"]),
              { id, record: Object.fromEntries(named.map((name) => [name, contact[name] ?? null])) },
            ];
          }),
        );
      },
    },
  ],
};

export default fixture;
