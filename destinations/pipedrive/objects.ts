/** The objects, and the fields that Pipedrive has of itself and takes in a request. */
import type { Known } from "./known.ts";

export type ObjectName = "persons" | "organizations" | "deals";

export interface PipedriveObject {
  readonly title: string;
  /** One of them, for people. */
  readonly one: string;
  /** Where its fields are listed. */
  readonly fields: string;
  /** The field that each record has, and that names it. */
  readonly naming: "name" | "title";
  readonly own: readonly Known[];
}

const writable = true;

const ownId: Known = { name: "id", title: "Pipedrive ID", kind: "id", writable: false, matches: true };
const owner: Known = { name: "owner_id", title: "Owner: a user's Pipedrive ID", kind: "id", writable };
const organization: Known = { name: "org_id", title: "Organization: its Pipedrive ID", kind: "id", writable };
const labels: Known = { name: "label_ids", title: "Labels: all of them", kind: "options", writable };

/** The name of a record cannot be cleared, and is what it takes to make one. */
function naming(name: "name" | "title", title: string): Known {
  return { name, title, kind: "text", writable, matches: true, lasting: true, required: true, maxLength: 255 };
}

const visibility: Known = {
  name: "visible_to",
  title: "Visible to",
  kind: "option",
  writable,
  lasting: true,
  options: new Map([
    ["owner", 1],
    ["owner's group", 3],
    ["owner's group and those beneath", 5],
    ["company", 7],
  ]),
};

export const objects: Readonly<Record<ObjectName, PipedriveObject>> = {
  persons: {
    title: "Persons",
    one: "person",
    fields: "personFields",
    naming: "name",
    own: [
      ownId,
      naming("name", "Name"),
      { name: "email", title: "Primary e-mail; the others stay", kind: "email", writable, matches: true },
      { name: "phone", title: "Primary phone; the others stay", kind: "phone", writable },
      { name: "emails", title: "E-mails: all of them", kind: "emails", writable },
      { name: "phones", title: "Phones: all of them", kind: "phones", writable },
      organization,
      owner,
      labels,
      visibility,
    ],
  },
  organizations: {
    title: "Organizations",
    one: "organization",
    fields: "organizationFields",
    naming: "name",
    own: [
      ownId,
      naming("name", "Name"),
      { name: "address", title: "Address", kind: "address", writable },
      owner,
      labels,
      visibility,
    ],
  },
  deals: {
    title: "Deals",
    one: "deal",
    fields: "dealFields",
    naming: "title",
    own: [
      ownId,
      naming("title", "Title"),
      { name: "value", title: "Value", kind: "number", writable },
      { name: "currency", title: "Currency of the value, such as EUR", kind: "currency", writable, lasting: true },
      { name: "person_id", title: "Person: their Pipedrive ID", kind: "id", writable },
      organization,
      { name: "pipeline_id", title: "Pipeline: its ID", kind: "id", writable, lasting: true },
      { name: "stage_id", title: "Stage: its ID", kind: "id", writable, lasting: true },
      {
        name: "status",
        title: "Status",
        kind: "option",
        writable,
        lasting: true,
        options: new Map(["open", "won", "lost"].map((status) => [status, status])),
      },
      { name: "probability", title: "Probability, in percent", kind: "percent", writable },
      { name: "expected_close_date", title: "Expected close date", kind: "date", writable },
      { name: "lost_reason", title: "Why it was lost", kind: "text", writable, maxLength: 255 },
      owner,
      labels,
      visibility,
    ],
  },
};
