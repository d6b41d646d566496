/** Mailchimp for the suite: the members of an audience, by address. */
import type { DestinationFixture, HeldRecord } from "./place.ts";

export const key = "0123456789abcdef0123456789abcdef-us21";
export const audience = "a1b2c3d4e5";

interface HeldMember {
  readonly email_address: string;
  readonly status: string;
  readonly merge_fields: Readonly<Record<string, string | number>>;
}

export function members(
  contents: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, HeldMember & { readonly id: string }> {
  const all = Object.entries((contents[audience] ?? {}) as Record<string, HeldMember>);
  return new Map(all.map(([id, one]) => [one.email_address, { id, ...one }]));
}

const fixture: DestinationFixture = {
  connection: { api_key: key },
  refusedCredential: { api_key: "expired0123456789-us21" },
  seed: {
    keys: [key],
    audiences: [
      {
        id: audience,
        merge_fields: [
          { tag: "FNAME", name: "First Name" },
          { tag: "SEATS", name: "Seats", type: "number" },
          { tag: "PLAN", name: "Plan", type: "dropdown", choices: ["free", "pro"] },
          { tag: "SINCE", name: "Customer since", type: "date" },
          { tag: "BDAY", name: "Birthday", type: "birthday" },
          { tag: "ADDR", name: "Address", type: "address" },
        ],
      },
    ],
  },
  objects: [
    {
      name: "members",
      settings: { audience, status_if_new: "subscribed" },
      match: "email_address",
      matchValue: (n) => `person-${n}@customer.example`,
      record: (n, revision) => ({
        "merge_fields.FNAME": `Name ${n}.${revision}`,
        "merge_fields.SEATS": n * 10 + revision,
      }),
      bad: { "merge_fields.PLAN": "no such plan" },
      held: (contents) =>
        new Map(
          [...members(contents)]
            .filter(([, { status }]) => status !== "archived")
            .map(([email, { id, merge_fields }]): [string, HeldRecord] => [
              email,
              {
                id,
                record: Object.fromEntries(
                  Object.entries(merge_fields).map(([tag, value]) => [`merge_fields.${tag}`, value]),
                ),
              },
            ]),
        ),
    },
  ],
};

export default fixture;
