/** Segment for the suite: users by user ID, groups by group ID. Events are appended only: segment.test.ts has them. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const writeKey = "Wk7suiteDmBXIN4JnwqBnTqXccTF0wBn";

/** The traits of a profile under the names of the fields. */
function held(collection: string, fields: readonly string[]): ObjectFixture["held"] {
  return (contents) => {
    const profiles = Object.entries((contents[collection] ?? {}) as Record<string, Record<string, string | number>>);
    return new Map(
      profiles.map(([id, traits]): [string, HeldRecord] => {
        const values = fields.map((field) => [field, traits[field.slice("traits.".length)]] as const);
        const present = values.flatMap(([field, value]) => (value === undefined ? [] : [[field, value] as const]));
        return [id, { id, record: Object.fromEntries(present) }];
      }),
    );
  };
}

const fixture: DestinationFixture = {
  connection: { write_key: writeKey },
  refusedCredential: { write_key: "Wk7otherDmBXIN4JnwqBnTqXccTF0wBn" },
  seed: { sources: [{ write_key: writeKey }] },
  objects: [
    {
      name: "identify",
      settings: {},
      tellsNoIds: "Segment says that it took the batch, and no more",
      match: "userId",
      matchValue: (n) => `u-${n}`,
      record: (n, revision) => ({ "traits.firstName": `First ${n}.${revision}`, "traits.age": n * 10 + revision }),
      bad: { "traits.description": "too long ".repeat(4000) },
      held: held("users", ["traits.firstName", "traits.age"]),
    },
    {
      name: "group",
      settings: {},
      tellsNoIds: "Segment says that it took the batch, and no more",
      match: "groupId",
      matchValue: (n) => `g-${n}`,
      record: (n, revision) => ({ "traits.name": `Group ${n}.${revision}`, "traits.employees": n * 10 + revision }),
      bad: { timestamp: "1969-12-31T23:59:59Z" },
      held: held("groups", ["traits.name", "traits.employees"]),
    },
  ],
};

export default fixture;
