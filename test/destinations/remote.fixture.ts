/** A remote adapter for the suite: an object that is written at once, and one that is written by jobs. */
import type { DestinationFixture, ObjectFixture } from "./place.ts";

export const token = "remote-5b1d7c2e-suite";

export const fields = {
  name: { type: "text" },
  seats: { type: "integer" },
  plan: { type: "enum", options: ["free", "pro"] },
};

/** What the fixtures' records are, wherever they are held by a match field. */
export function recordsOf(name: string, match: string, matchValue: ObjectFixture["matchValue"]): ObjectFixture {
  return {
    name,
    settings: {},
    match,
    matchValue,
    record: (n, revision) => ({ name: `Name ${n}.${revision}`, seats: n * 10 + revision }),
    bad: { plan: "no such plan" },
    held: (contents) =>
      new Map(
        Object.entries((contents[name] ?? {}) as Record<string, Record<string, string | number>>).map(([id, held]) => {
          const { [match]: value, ...record } = held;
          return [String(value), { id, record }];
        }),
      ),
  };
}

const fixture: DestinationFixture = {
  connection: { auth: "bearer", bearer_token: token },
  refusedCredential: { bearer_token: "remote-another" },
  seed: {
    token,
    objects: { contacts: { match: "email", fields }, accounts: { match: "account_id", fields, slow: true } },
  },
  objects: [
    recordsOf("contacts", "email", (n) => `person-${n}@customer.example`),
    recordsOf("accounts", "account_id", (n) => `A/${n}?&`),
  ],
};

export default fixture;
