/** A sync is held against its model and its destination: everything that does not fit is told, each with its place. */
import { expect, test } from "vitest";
import type { Field, ObjectDescription } from "../../src/destination.ts";
import { misfits } from "../../src/sync/fit.ts";
import type { FieldSpec, SyncSpec } from "../../src/sync/ports.ts";
import type { Column } from "../../src/warehouse.ts";
import { loadMappingKinds } from "../mapping-kinds.ts";

const kinds = await loadMappingKinds();
const columns: readonly Column[] = [
  { name: "id", type: "text", native: "VARCHAR" },
  { name: "mrr", type: "decimal", native: "DECIMAL(12,2)" },
];

function field(name: string, detail: Partial<Field> = {}): Field {
  return { name, title: name, type: "text", writable: true, matches: false, ...detail };
}

const object: ObjectDescription = {
  name: "companies",
  title: "Companies",
  modes: ["upsert", "mirror"],
  removals: ["archive"],
  batch: { records: 100 },
  matchFields: 1,
  idempotent: { upsert: true, mirror: true, update: true, insert: false, append: false },
  fields: [
    field("account_id", { matches: true }),
    field("name"),
    field("mrr", { type: "number" }),
    field("created_at", { writable: false }),
    field("plan", { type: "enum", options: [{ value: "free", title: "Free" }] }),
    field("address", { type: "json" }),
  ],
};

const mrr: FieldSpec = { target: "mrr", kind: "column", options: { column: "mrr" }, whenNull: "clear" };

function found(spec: Partial<SyncSpec>, of: Partial<ObjectDescription> = {}): readonly string[] {
  const sync: SyncSpec = {
    name: "s",
    model: { from: { table: "t" }, key: ["id"] },
    object: "companies",
    settings: {},
    mode: "mirror",
    match: { account_id: "id" },
    fields: [mrr],
    removed: "archive",
    gate: { removed: { percent: 30 }, rejected: { percent: 10 }, keys: "withhold" },
    ...spec,
  };
  return misfits(sync, columns, { ...object, ...of }, kinds).map(({ code, path }) => `${code} ${path}`);
}

test("what fits has no misfit", () => {
  expect(found({})).toEqual([]);
});

test.each<[string, Partial<SyncSpec>, Partial<ObjectDescription>?]>([
  ["mode_unsupported mode", { mode: "append", removed: "ignore" }],
  ["removal_unsupported removed", { removed: "delete" }],
  ["too_many_match_fields match", { match: { account_id: "id", name: "id" } }],
  ["unknown_field match.acount_id", { match: { acount_id: "id" } }],
  ["field_does_not_match match.name", { match: { name: "id" } }],
  ["unknown_field fields.mmr", { fields: [{ ...mrr, target: "mmr" }] }],
  ["field_read_only fields.created_at", { fields: [{ ...mrr, target: "created_at" }] }],
  [
    "value_does_not_fit fields.plan",
    { fields: [{ ...mrr, target: "plan", kind: "constant", options: { value: "x" } }] },
  ],
  ["unknown_column fields.mrr", { fields: [{ ...mrr, options: { column: "mmr" } }] }],
  ["unknown_column match.account_id", { match: { account_id: "idd" } }],
  ["required_field_missing fields", {}, { fields: [...object.fields, field("owner", { required: true })] }],
  ["when_unsupported fields.mrr.when", { fields: [{ ...mrr, when: "insert" }] }],
  [
    "when_unsupported fields.address.city.when",
    { fields: [{ ...mrr, target: "address.city", when: "if_empty" }] },
    { reads: true },
  ],
])("%s", (misfit, spec, of) => {
  expect(found(spec, of)).toContain(misfit);
});

test("when a field is written can be told where records can be read", () => {
  expect(found({ fields: [{ ...mrr, when: "insert" }] }, { reads: true })).toEqual([]);
});

test("all of them are told at once, each with what would be right", () => {
  const fields = [
    { ...mrr, target: "mmr" },
    { ...mrr, options: { column: "mmr" } },
  ];
  expect(found({ mode: "update", fields })).toEqual([
    "mode_unsupported mode",
    "unknown_field fields.mmr",
    "unknown_column fields.mrr",
  ]);
});
