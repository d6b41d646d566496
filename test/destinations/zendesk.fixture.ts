/** Zendesk for the suite: users by external id and by e-mail address, organizations by name. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const token = "zendesk-api-token-of-the-suite";

/** A user or an organization as the sandbox holds it. */
export interface HeldZendesk {
  readonly id: number;
  readonly external_id?: string;
  readonly name?: string;
  readonly emails?: readonly { readonly id: number; readonly value: string }[];
  readonly active?: boolean;
  readonly values: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly user_fields?: HeldZendesk["values"];
  readonly organization_fields?: HeldZendesk["values"];
}

/** What the account holds and shows to those who look for it: not what was deleted or suspended. */
function held(
  object: "users" | "organizations",
  match: (one: HeldZendesk) => string | undefined,
): ObjectFixture["held"] {
  return (contents) => {
    const all = Object.values((contents[object] ?? {}) as Record<string, HeldZendesk>);
    const present = all.filter(({ active, values }) => active !== false && values["suspended"] !== true);
    return new Map(
      present.map((one): [string, HeldRecord] => {
        const part = object === "users" ? "user_fields" : "organization_fields";
        const custom = Object.entries(one[part] ?? {}).map(([name, value]) => [`${part}.${name}`, value]);
        return [match(one) ?? "", { id: String(one.id), record: { ...one.values, ...Object.fromEntries(custom) } }];
      }),
    );
  };
}

export const userFields = [
  { key: "plan", type: "text" },
  { key: "seats", type: "integer" },
  { key: "score", type: "decimal" },
  { key: "vip", type: "checkbox" },
  { key: "renews_on", type: "date" },
  { key: "tier", type: "dropdown", options: ["tier_gold", "tier_silver"] },
  { key: "uses", type: "multiselect", options: ["use_chat", "use_voice"] },
  { key: "former", type: "text", active: false },
  { key: "zendesk_own", type: "text", system: true },
];

export const organizationFields = [
  { key: "plan", type: "text" },
  { key: "mrr", type: "decimal" },
];

const userRecord: ObjectFixture["record"] = (n, revision) => ({
  notes: `Notes ${n}.${revision}`,
  "user_fields.plan": `Plan ${n}.${revision}`,
  "user_fields.seats": n * 10 + revision,
});

const fixture: DestinationFixture = {
  connection: { subdomain: "sandbox", email: "admin@example.com", api_token: token },
  refusedCredential: { api_token: "wrong" },
  seed: {
    credentials: [{ secret: `admin@example.com/token:${token}` }],
    user_fields: userFields,
    organization_fields: organizationFields,
    nameless: true,
  },
  objects: [
    {
      name: "users",
      settings: {},
      match: "external_id",
      matchValue: (n) => `user/${n}, the ${n}th`,
      record: userRecord,
      bad: { organization_id: 404_404 },
      held: held("users", ({ external_id }) => external_id),
    },
    {
      name: "users",
      settings: {},
      match: "email",
      matchValue: (n) => `person${n}@example.com`,
      record: userRecord,
      bad: { organization_id: 404_404 },
      held: held("users", ({ emails }) => emails?.[0]?.value),
    },
    {
      name: "organizations",
      settings: {},
      match: "name",
      matchValue: (n) => `Company ${n} & Sons`,
      record: (n, revision) => ({
        details: `Details ${n}.${revision}`,
        "organization_fields.plan": `Plan ${n}.${revision}`,
        "organization_fields.mrr": n * 10 + revision + 0.5,
      }),
      bad: { group_id: 404_404 },
      held: held("organizations", ({ name }) => name),
    },
  ],
};

export default fixture;
