/** ChartMogul for the suite: customers by the external id that they have in a data source. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const apiKey = "cmk-5f0e3c2a-suite";
export const dataSource = "ds_5ef7f768-62ea-11e6-8299-5bf2ca7f76bb";

/** A customer as the sandbox holds it. */
export interface HeldCustomer {
  readonly known: readonly { readonly dataSource: string; readonly externalId: string }[];
  readonly standard: Readonly<Record<string, string>>;
  readonly custom: Readonly<Record<string, string | number | boolean>>;
  readonly tags: readonly string[];
}

const held: ObjectFixture["held"] = (contents) => {
  const customers = Object.entries((contents["customers"] ?? {}) as Record<string, HeldCustomer>);
  return new Map(
    customers.map(([id, { known, standard, custom, tags }]): [string, HeldRecord] => [
      known[0]?.externalId ?? "",
      {
        id,
        record: {
          ...(custom["plan"] === undefined ? {} : { "custom.plan": custom["plan"] }),
          ...(custom["seats"] === undefined ? {} : { "custom.seats": custom["seats"] }),
          ...(standard["city"] === undefined ? {} : { city: standard["city"] }),
          ...(tags.length === 0 ? {} : { tags }),
        },
      },
    ]),
  );
};

const fixture: DestinationFixture = {
  connection: { api_key: apiKey },
  refusedCredential: { api_key: "wrong" },
  seed: { keys: [apiKey], data_sources: [{ uuid: dataSource, name: "In-house billing" }] },
  objects: [
    {
      name: "customers",
      settings: { data_source: dataSource, custom_attributes: { plan: "String", seats: "Integer" } },
      tellsNoIds: "a customer in a data source is found by its external id, which never changes",
      match: "external_id",
      matchValue: (n) => `account-${n}`,
      record: (n, revision) => ({
        "custom.plan": `Plan ${n}.${revision}`,
        "custom.seats": n * 10 + revision,
        city: `City ${n}.${revision}`,
        tags: [`tag ${n}`, `revision ${revision}`],
      }),
      bad: { country: "ZZ" },
      held,
    },
  ],
};

export default fixture;
