/** Pipedrive for the suite: persons by e-mail address and by a custom field, organizations by a custom field and by name, deals by title. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

export const token = "pipedrive-api-token-of-the-suite";

/** The keys of custom fields, which are others in every company. */
export const key = (number: number): string => String(number).padStart(40, "abcdef0123456789");

export const fields = {
  accountId: key(1),
  plan: key(2),
  seats: key(3),
  tier: key(4),
  uses: key(5),
  mrr: key(6),
  renewsOn: key(7),
  office: key(8),
  hours: key(9),
  trial: key(10),
  notes: key(11),
  manager: key(12),
  mobile: key(13),
  lunch: key(14),
} as const;

/** A record as the sandbox holds it. */
export interface HeldPipedrive {
  readonly id: number;
  readonly name?: string;
  readonly title?: string;
  readonly org_id?: number | null;
  readonly emails?: readonly { readonly value: string; readonly primary: boolean; readonly label: string }[];
  readonly phones?: HeldPipedrive["emails"];
  readonly is_deleted: boolean;
  readonly custom_fields: Readonly<Record<string, string | number | null>>;
}

/** What the company holds and shows: not what was deleted. */
function held(
  object: string,
  match: (one: HeldPipedrive) => string | number | null | undefined,
): ObjectFixture["held"] {
  return (contents) => {
    const all = Object.values((contents[object] ?? {}) as Record<string, HeldPipedrive>);
    return new Map(
      all
        .filter((one) => !one.is_deleted)
        .map((one): [string, HeldRecord] => {
          const custom = [fields.plan, fields.seats].map((code) => [code, one.custom_fields[code]] as const);
          const record = custom.flatMap(([code, value]) => (value == null ? [] : [[code, value] as const]));
          return [String(match(one) ?? ""), { id: String(one.id), record: Object.fromEntries(record) }];
        }),
    );
  };
}

export const customFields = [
  { field_code: fields.accountId, field_name: "Account ID" },
  { field_code: fields.plan, field_name: "Plan" },
  { field_code: fields.seats, field_name: "Seats", field_type: "double" },
  {
    field_code: fields.tier,
    field_name: "Tier",
    field_type: "enum",
    options: [
      { id: 31, label: "Gold" },
      { id: 32, label: "Silver" },
    ],
  },
  {
    field_code: fields.uses,
    field_name: "Uses",
    field_type: "set",
    options: [
      { id: 41, label: "Chat" },
      { id: 42, label: "Voice" },
    ],
  },
  { field_code: fields.mrr, field_name: "MRR", field_type: "monetary" },
  { field_code: fields.renewsOn, field_name: "Renews on", field_type: "date" },
  { field_code: fields.office, field_name: "Office", field_type: "address" },
  { field_code: fields.hours, field_name: "Hours", field_type: "timerange" },
  { field_code: fields.trial, field_name: "Trial", field_type: "daterange" },
  { field_code: fields.notes, field_name: "Long notes", field_type: "text" },
  { field_code: fields.manager, field_name: "Manager", field_type: "user" },
  { field_code: fields.mobile, field_name: "Mobile", field_type: "phone" },
  { field_code: fields.lunch, field_name: "Lunch", field_type: "time" },
  {
    field_code: "label_ids",
    field_name: "Labels",
    field_type: "set",
    is_custom_field: false,
    options: [{ id: 5, label: "Hot" }],
  },
  { field_code: "picture_id", field_name: "Picture", field_type: "picture", is_custom_field: false },
];

const record: ObjectFixture["record"] = (n, revision) => ({
  [fields.plan]: `Plan ${n}.${revision}`,
  [fields.seats]: n * 10 + revision + 1,
});

const fixture: DestinationFixture = {
  connection: { company_domain: "sandbox", api_token: token },
  refusedCredential: { api_token: "wrong" },
  seed: {
    tokens: [token],
    person_fields: customFields,
    organization_fields: customFields,
    deal_fields: customFields,
    nameless: true,
  },
  objects: [
    {
      name: "persons",
      settings: {},
      match: "email",
      matchValue: (n) => `person${n}@example.com`,
      record,
      bad: { org_id: 404_404 },
      held: held("persons", ({ emails }) => emails?.find(({ primary }) => primary)?.value),
    },
    {
      name: "organizations",
      settings: {},
      match: fields.accountId,
      matchValue: (n) => `account & ${n}`,
      record,
      bad: { owner_id: 404_404 },
      held: held("organizations", ({ custom_fields: custom }) => custom[fields.accountId]),
    },
    {
      name: "organizations",
      settings: {},
      match: "name",
      matchValue: (n) => `Company No. ${n}`,
      record,
      bad: { owner_id: 404_404 },
      held: held("organizations", ({ name }) => name),
    },
    {
      name: "deals",
      settings: {},
      match: "title",
      matchValue: (n) => `Renewal ${n}`,
      record,
      bad: { person_id: 404_404 },
      held: held("deals", ({ title }) => title),
    },
  ],
};

export default fixture;
