/** Braze for the suite: users by external id. */
import type { DestinationFixture, HeldRecord } from "./place.ts";

export const key = "braze-suite-key-7f3a";

const mapped = ["first_name", "home_city"];

const fixture: DestinationFixture = {
  connection: { api_key: key, instance: "fra-01" },
  refusedCredential: { api_key: "expired" },
  seed: { keys: [key] },
  objects: [
    {
      name: "users",
      settings: {},
      tellsNoIds: "Braze counts what it took and names no record",
      match: "external_id",
      matchValue: (n) => `user-${n}`,
      record: (n, revision) => ({ first_name: `Name ${n}.${revision}`, home_city: `City ${n}.${revision}` }),
      bad: { country: "Germany" },
      held: (contents) =>
        new Map(
          Object.entries((contents["users"] ?? {}) as Record<string, Record<string, string | number>>).map(
            ([id, user]): [string, HeldRecord] => {
              const values = mapped.map((field) => [field, user[field]] as const);
              const present = values.flatMap(([field, value]) =>
                value === undefined ? [] : [[field, value] as const],
              );
              return [id, { id, record: Object.fromEntries(present) }];
            },
          ),
        ),
    },
  ],
};

export default fixture;
