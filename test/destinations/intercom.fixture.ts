/** Intercom for the suite: contacts by external id and by e-mail address, companies by company id. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const token = "dG9rOmludGVyY29tLXN1aXRl";

/** A contact or a company as the sandbox holds it. */
export interface HeldIntercom {
  readonly id: string;
  readonly role?: "user" | "lead";
  readonly external_id?: string | null;
  readonly email?: string | null;
  readonly company_id?: string;
  readonly standard: Readonly<Record<string, string | number | boolean>>;
  readonly custom: Readonly<Record<string, string | number | boolean>>;
  readonly archived?: boolean;
  readonly companies?: readonly string[];
}

function held(object: string, match: "external_id" | "email" | "company_id"): ObjectFixture["held"] {
  return (contents) => {
    const records = Object.values((contents[object] ?? {}) as Record<string, HeldIntercom>);
    const present = records.filter(({ archived }) => archived !== true);
    return new Map(
      present.map(({ id, standard, custom, ...identity }): [string, HeldRecord] => {
        const own = Object.entries(custom).map(([name, value]) => [`custom_attributes.${name}`, value]);
        return [identity[match] ?? "", { id, record: { ...standard, ...Object.fromEntries(own) } }];
      }),
    );
  };
}

export const attributes = [
  { model: "contact", name: "plan" },
  { model: "contact", name: "seats", data_type: "integer" },
  { model: "contact", name: "score", data_type: "float" },
  { model: "contact", name: "vip", data_type: "boolean" },
  { model: "contact", name: "renews_at", data_type: "date" },
  { model: "contact", name: "tier", options: ["gold", "silver"] },
  { model: "contact", name: "computed", api_writable: false },
  { model: "contact", name: "former", archived: true },
  { model: "company", name: "plan" },
  { model: "company", name: "health", data_type: "float" },
];

const fixture: DestinationFixture = {
  connection: { access_token: token },
  refusedCredential: { access_token: "wrong" },
  seed: { tokens: [{ token }], attributes },
  objects: [
    {
      name: "contacts",
      settings: {},
      match: "external_id",
      matchValue: (n) => `user/${n}`,
      record: (n, revision) => ({
        name: `Name ${n}.${revision}`,
        "custom_attributes.plan": `Plan ${n}.${revision}`,
        "custom_attributes.seats": n * 10 + revision,
      }),
      bad: { owner_id: "no such admin" },
      held: held("contacts", "external_id"),
    },
    {
      name: "contacts",
      settings: {},
      match: "email",
      matchValue: (n) => `person${n}@example.com`,
      record: (n, revision) => ({
        name: `Name ${n}.${revision}`,
        "custom_attributes.seats": n * 10 + revision,
      }),
      bad: { owner_id: "no such admin" },
      held: held("contacts", "email"),
    },
    {
      name: "companies",
      settings: {},
      tellsNoIds: "a company's company_id never changes",
      match: "company_id",
      matchValue: (n) => `account & ${n}`,
      record: (n, revision) => ({
        "custom_attributes.plan": `Plan ${n}.${revision}`,
        size: n * 10 + revision + 1,
        website: `https://example.com/${n}/${revision}`,
      }),
      bad: { monthly_spend: 155.98 },
      held: held("companies", "company_id"),
    },
  ],
};

export default fixture;
