/** The presets are syncs that run: documents without a mistake, whose mappings fit their vendors' own fields. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { listOf } from "../src/documents/documents.ts";
import { loadWorkspace } from "../src/documents/load.ts";
import { resolveSync } from "../src/documents/resolve.ts";
import { lookupColumn } from "../src/mapping.ts";
import { openRegistry } from "../src/registry.ts";
import { misfits } from "../src/sync/fit.ts";
import type { Column, ColumnType } from "../src/warehouse.ts";
import { Business } from "./end-to-end/business.ts";
import hubspot from "./destinations/hubspot.fixture.ts";
import customerio from "./destinations/customerio.fixture.ts";
import intercom from "./destinations/intercom.fixture.ts";
import pipedrive from "./destinations/pipedrive.fixture.ts";
import salesforce from "./destinations/salesforce.fixture.ts";
import segment from "./destinations/segment.fixture.ts";
import zendesk from "./destinations/zendesk.fixture.ts";
import { type DestinationFixture, openPlace } from "./destinations/place.ts";

const folder = join(import.meta.dirname, "../mappings/presets");
const registry = await openRegistry();
const kinds = await registry.mappingKinds();

/** The columns that the presets' models have, as a warehouse would tell them. */
const columns: Readonly<Record<string, Readonly<Record<string, ColumnType>>>> = {
  accounts: {
    account_id: "text",
    name: "text",
    domain: "text",
    plan: "text",
    mrr_usd: "decimal",
    seats: "integer",
    renews_on: "date",
  },
  people: {
    person_id: "text",
    account_id: "text",
    email: "text",
    first_name: "text",
    last_name: "text",
    full_name: "text",
    signed_up_at: "timestamptz",
    plan: "text",
    churn_risk: "float",
  },
};

const salesforceText = { length: 255 };
const externalId = { name: "External_Id__c", ...salesforceText, externalId: true, idLookup: true, unique: true };

/** The vendors' accounts, with the custom fields that each preset says are to be made first. */
const accounts: Readonly<Record<string, DestinationFixture>> = {
  hubspot: {
    ...hubspot,
    seed: {
      ...Object(hubspot.seed),
      properties: {
        companies: [
          { name: "account_id", type: "string", hasUniqueValue: true },
          { name: "mrr", type: "number", fieldType: "number" },
          { name: "plan", type: "string" },
          { name: "seats", type: "number", fieldType: "number" },
          { name: "renews_on", type: "date", fieldType: "date" },
        ],
      },
    },
  },
  salesforce: {
    ...salesforce,
    seed: {
      objects: [
        {
          name: "Account",
          label: "Account",
          fields: [
            { name: "Name", ...salesforceText, nillable: false },
            { name: "Plan__c", ...salesforceText },
            { name: "MRR__c", type: "double" },
            { name: "Renews_On__c", type: "date" },
            externalId,
          ],
        },
      ],
    },
  },
  zendesk: {
    ...zendesk,
    seed: {
      ...Object(zendesk.seed),
      organization_fields: [
        { key: "plan", type: "text" },
        { key: "mrr", type: "decimal" },
        { key: "renews_on", type: "date" },
      ],
    },
  },
  intercom: {
    ...intercom,
    seed: {
      ...Object(intercom.seed),
      attributes: [
        { model: "company", name: "renews_on", data_type: "date" },
        { model: "contact", name: "churn_risk", data_type: "float" },
      ],
    },
  },
  pipedrive: {
    ...pipedrive,
    seed: {
      ...Object(pipedrive.seed),
      organization_fields: [
        { field_code: "a000000000000000000000000000000000000001", field_name: "Account ID" },
        { field_code: "a000000000000000000000000000000000000002", field_name: "Plan" },
        { field_code: "a000000000000000000000000000000000000003", field_name: "MRR", field_type: "monetary" },
        { field_code: "a000000000000000000000000000000000000004", field_name: "Seats", field_type: "double" },
        { field_code: "a000000000000000000000000000000000000005", field_name: "Renews on", field_type: "date" },
      ],
      person_fields: [{ field_code: "b000000000000000000000000000000000000001", field_name: "Plan" }],
    },
  },
  segment,
  customerio,
};

const names = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml") && name !== "warehouse.yaml")
  .map((name) => name.replace(".yaml", ""));

test("every preset is looked at below", () => {
  expect(Object.keys(accounts).toSorted()).toEqual(names.toSorted());
});

test("they are documents without a mistake, alone and together", async () => {
  const { documents } = await loadWorkspace(folder, registry);
  expect(listOf(documents).filter(({ kind }) => kind === "sync").length).toBeGreaterThan(names.length);
});

describe.each(Object.entries(accounts))("the preset %s", (name, fixture) => {
  test("fits the vendor's own fields", async () => {
    const { documents } = await loadWorkspace(folder, registry);
    const adapter = await registry.loadDestination(name);
    const createSandbox = await registry.loadSandbox(name);
    const [object] = fixture.objects;
    if (!object) throw new Error("a fixture has an object");
    await using place = await openPlace({ adapter, createSandbox, fixture, object });
    const own = [...documents.syncs.values()].filter(({ to }) => to.destination === name);
    for (const { name: sync, from } of own) {
      const { spec } = resolveSync(documents, sync, kinds);
      const described = await place.connection.describe(spec.object, spec.settings);
      const modelColumns = Object.entries(columns[from.model] ?? {}).map(([column, type]): Column => ({
        name: column,
        type,
        native: type,
      }));
      const lookups = (spec.lookups ?? []).map(({ of, by }): Column => ({
        name: lookupColumn(of.name, by),
        type: "text",
        native: "lookup",
      }));
      expect([sync, misfits(spec, [...modelColumns, ...lookups], described, kinds)]).toEqual([sync, []]);
    }
  });
});

test("sluice init writes those that are asked for, and knows no other", async () => {
  const target = mkdtempSync(join(tmpdir(), "sluice-init-"));
  onTestFinished(() => rmSync(target, { recursive: true }));
  await using business = await Business.open(1);
  const made = await business.sluice(["init", join(target, "a"), "--preset", "zendesk", "salesforce"]);
  expect(made.code).toBe(0);
  expect(readdirSync(join(target, "a")).toSorted()).toEqual([
    ".gitignore",
    "salesforce.yaml",
    "warehouse.yaml",
    "zendesk.yaml",
  ]);
  expect((await business.sluice(["--dir", join(target, "a"), "validate"])).code).toBe(0);
  expect((await business.sluice(["init", join(target, "b")])).code).toBe(0);
  expect(readdirSync(join(target, "b"))).toContain("hubspot.yaml");
  const unknown = await business.sluice(["init", join(target, "c"), "--preset", "hubspt"]);
  expect({ code: unknown.code, near: unknown.stderr.includes("hubspot") }).toEqual({ code: 2, near: true });
});
