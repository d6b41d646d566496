/** What the fault tests sync: a table of accounts in Postgres to the companies of a HubSpot. */

/** What a HubSpot account has from the start: a token, and the fields of its companies. */
export const account = {
  tokens: [{ token: "right-token" }],
  properties: {
    companies: [
      { name: "account_id", type: "string", hasUniqueValue: true },
      { name: "mrr", type: "number", fieldType: "number" },
      {
        name: "plan_name",
        type: "enumeration",
        fieldType: "select",
        options: ["free", "pro", "team"].map((value) => ({ label: value, value })),
      },
    ],
  },
};

/** HubSpot has no such option: rows of this plan are never accepted, whatever else happens to them. */
export const poison = "gold";

/** One sync of all companies, with its planner and its schedule as given. */
export const workspace = (planner: string, schedule: string): string => `
kind: source
name: warehouse
type: postgres
connection: { url: "\${env:WAREHOUSE}" }
planner: ${planner}
---
kind: model
name: accounts
source: warehouse
table: public.accounts
key: id
---
kind: destination
name: hubspot
type: hubspot
connection: { access_token: "\${env:TOKEN}", base_url: "\${env:HUBSPOT}" }
---
kind: sync
name: companies
from: { model: accounts }
to: { destination: hubspot, object: companies }
mode: mirror
match: { account_id: id }
fields: { name: name, mrr: mrr, plan_name: plan }
gate: { removed: 60%, rejected: 50%, keys: withhold }
${schedule}
`;
