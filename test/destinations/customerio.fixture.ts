/** Customer.io for the suite: people by ID. Objects need a key that is optional: customerio.test.ts has them. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const siteId = "suite-site-5f2a";
const trackKey = "suite-track-9c1e7b";

/** What a collection of the sandbox has under the names of the fields, by match value. */
export function held(collection: string, match: string, fields: readonly string[]): ObjectFixture["held"] {
  return (contents) => {
    const records = Object.entries((contents[collection] ?? {}) as Record<string, Record<string, string | number>>);
    return new Map(
      records.map(([id, attributes]): [string, HeldRecord] => {
        const values = fields.map((field) => [field, attributes[field.replace("attributes.", "")]] as const);
        const present = values.flatMap(([field, value]) => (value === undefined ? [] : [[field, value] as const]));
        return [String(attributes[match]), { id, record: Object.fromEntries(present) }];
      }),
    );
  };
}

const fixture: DestinationFixture = {
  connection: { site_id: siteId, track_api_key: trackKey },
  refusedCredential: { track_api_key: "expired" },
  seed: { trackKeys: [{ site_id: siteId, api_key: trackKey }] },
  objects: [
    {
      name: "people",
      settings: {},
      tellsNoIds: "what is accepted is never mentioned",
      match: "id",
      matchValue: (n) => `person-${n}`,
      record: (n, revision) => ({ timezone: `Zone/${n}.${revision}`, created_at: 1_700_000_000 + n * 10 + revision }),
      bad: { email: "not an address" },
      held: held("people", "id", ["timezone", "created_at"]),
    },
  ],
};

export default fixture;
