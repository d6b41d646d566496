/** HTTP for the suite: a service that takes batches, one that takes records, and an n8n workflow. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const token = "svc-0f1e2d3c-suite";

const refusals = [
  { status: 404, when: { at: "/error/code", is: "no_route" }, means: "stop", message: "/error/message" },
  { status: "4xx", means: "rejected", code: "/error/code", message: "/error/message", field: "/error/field" },
];

function batchOperation(mode: string): unknown {
  return {
    method: "POST",
    path: "/accounts/batch",
    per: "batch",
    item: { id: "{{ id }}", account_id: "{{ match.account_id }}", values: "{{ record }}" },
    body: { mode, records: "{{ items }}" },
  };
}

/** All kinds of requests that the sandbox takes, declared. */
export const objects = {
  accounts: {
    title: "Accounts",
    match: "account_id",
    fields: { name: "text", plan: "text", mrr: "number" },
    batch: { records: 50 },
    answers: [
      {
        status: 200,
        means: "results",
        lists: [
          {
            at: "/results",
            by: { account_id: "/account_id" },
            items: [
              { when: { at: "/status", is: ["ok", "deleted", "gone"] }, means: "accepted", id: "/id" },
              { means: "rejected", code: "/error/code", message: "/error/message", field: "/error/field" },
            ],
          },
        ],
      },
      ...refusals,
    ],
    operations: {
      upsert: batchOperation("upsert"),
      update: batchOperation("update"),
      insert: batchOperation("insert"),
      delete: batchOperation("delete"),
    },
  },
  contacts: {
    title: "Contacts",
    match: "email",
    fields: { name: "text", city: "text" },
    answers: [{ status: 200, when: { at: "/ok", is: true }, means: "accepted" }, ...refusals],
    operations: {
      upsert: { method: "PUT", path: "/contacts/{{ match.email }}" },
      update: { method: "PATCH", path: "/contacts/{{ match.email }}" },
      insert: { method: "POST", path: "/contacts" },
      delete: {
        method: "DELETE",
        path: "/contacts/{{ match.email }}",
        answers: [
          { status: 204, means: "accepted" },
          { status: 404, when: { at: "/error/code", is: "not_found" }, means: "accepted" },
        ],
      },
    },
  },
  events: {
    match: "event_id",
    fields: { kind: "text" },
    answers: [{ status: 200, when: { at: "/ok", is: true }, means: "accepted" }, ...refusals],
    operations: { append: { method: "POST", path: "/events" } },
  },
  metrics: {
    match: "account_id",
    fields: { plan: "text", seats: "integer" },
    answers: [
      {
        status: 200,
        means: "results",
        lists: [
          {
            at: "/results",
            by: { account_id: "/account_id" },
            items: [
              { when: { at: "/done", is: true }, means: "accepted" },
              { when: { at: "/done", is: false }, means: "rejected", code: "workflow_refused", message: "/reason" },
            ],
          },
        ],
      },
      { status: 404, means: "stop", code: "workflow_not_registered", message: "/message" },
      { status: "4xx", means: "rejected", message: "/message" },
    ],
    operations: {
      upsert: {
        method: "POST",
        path: "/webhook/account-metrics",
        per: "batch",
        item: { operation: "upsert", data: "{{ record }}" },
        body: { delivery: "{{ batch_id }}", records: "{{ items }}" },
      },
      delete: {
        method: "POST",
        path: "/webhook/account-metrics",
        per: "batch",
        item: { operation: "delete", data: "{{ match }}" },
        body: { delivery: "{{ batch_id }}", records: "{{ items }}" },
      },
    },
  },
};

function held(collection: string, match: string, fields: readonly string[]): ObjectFixture["held"] {
  return (contents) => {
    const records = Object.entries((contents[collection] ?? {}) as Record<string, Record<string, string>>);
    return new Map(
      records.map(([id, values]): [string, HeldRecord] => {
        const present = fields.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]] as const]));
        return [values[match] ?? "", { id, record: Object.fromEntries(present) }];
      }),
    );
  };
}

const fixture: DestinationFixture = {
  connection: { auth: "bearer", bearer_token: token, objects },
  refusedCredential: { bearer_token: "svc-another", check: { path: "/me" } },
  seed: { access: { bearer: token } },
  objects: [
    {
      name: "accounts",
      settings: {},
      match: "account_id",
      matchValue: (n) => `A-${n}`,
      record: (n, revision) => ({ name: `Company ${n}.${revision}`, mrr: n * 10 + revision }),
      bad: { plan: "no such plan" },
      held: held("accounts", "account_id", ["name", "mrr"]),
    },
    {
      name: "contacts",
      settings: {},
      tellsNoIds: "the declaration names none",
      match: "email",
      matchValue: (n) => `person${n}/50%+a@example.com`,
      record: (n, revision) => ({ name: `Person ${n}.${revision}`, city: `City ${n}.${revision}` }),
      bad: { name: "x".repeat(201) },
      held: held("contacts", "email", ["name", "city"]),
    },
    {
      name: "metrics",
      settings: {},
      tellsNoIds: "the declaration names none",
      match: "account_id",
      matchValue: (n) => `A-${n}`,
      record: (n, revision) => ({ seats: n * 10 + revision }),
      bad: { plan: "no such plan" },
      held: held("workflow account-metrics", "account_id", ["seats"]),
    },
  ],
};

export default fixture;
