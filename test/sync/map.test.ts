import { expect, test } from "vitest";
import type { Field, ObjectDescription } from "../../src/destination.ts";
import { loadMappingKinds } from "../mapping-kinds.ts";
import { compileMapper, type MappedChange } from "../../src/sync/map.ts";
import type { FieldSpec, SyncSpec } from "../../src/sync/ports.ts";
import type { Column, PlannedChange } from "../../src/warehouse.ts";

const kinds = await loadMappingKinds();
const columns: readonly Column[] = [
  { name: "id", type: "text", native: "VARCHAR" },
  { name: "email", type: "text", native: "VARCHAR" },
  { name: "mrr", type: "decimal", native: "DECIMAL(12,2)" },
];

function field(name: string, type: Field["type"], detail: Partial<Field> = {}): Field {
  return { name, title: name, type, writable: true, matches: false, ...detail };
}

const object: ObjectDescription = {
  name: "contacts",
  title: "Contacts",
  modes: ["upsert", "mirror"],
  removals: ["archive", "clear"],
  batch: { records: 100 },
  idempotent: { upsert: true, mirror: true, update: true, insert: false, append: false },
  fields: [
    field("email", "text", { matches: true, matching: "case_insensitive" }),
    field("mrr", "number"),
    field("address", "json"),
    field("__proto__", "text"),
  ],
};

function column(target: string, name: string, whenNull: FieldSpec["whenNull"] = "clear"): FieldSpec {
  return { target, kind: "column", options: { column: name }, whenNull };
}

function map(
  fields: readonly FieldSpec[],
  planned: Partial<PlannedChange>,
  spec: Partial<SyncSpec> = {},
): MappedChange {
  const sync: SyncSpec = {
    name: "s",
    model: { from: { table: "t" }, key: ["id"] },
    object: "contacts",
    settings: {},
    mode: "mirror",
    match: { email: "email" },
    fields,
    removed: "archive",
    gate: { removed: { percent: 30 }, rejected: { percent: 10 }, keys: "withhold" },
    ...spec,
  };
  const change: PlannedChange = {
    seq: 7,
    kind: "added",
    rowKey: "k",
    cells: ["1", "a@b.example", "12.5"],
    known: null,
    reclaimed: false,
    named: false,
    ...planned,
  };
  return compileMapper(sync, columns, object, kinds)(change);
}

function changeOf(mapped: MappedChange): Extract<MappedChange, { kind: "change" }> {
  if (mapped.kind !== "change") throw new Error(`expected a change, got ${mapped.row.code}`);
  return mapped;
}

test("match values are compared as the destination compares them", () => {
  expect(changeOf(map([], { cells: ["1", " A@B.example", null] })).change.match).toEqual({ email: "a@b.example" });
});

test("a null value is left out, cleared or refused, as the field says", () => {
  const cells = ["1", "a@b.example", null];
  expect(changeOf(map([column("mrr", "mrr", "skip")], { cells })).change.record).toEqual({});
  expect(changeOf(map([column("mrr", "mrr", "clear")], { cells })).change.record).toEqual({ mrr: null });
  expect(map([column("mrr", "mrr", "reject")], { cells })).toMatchObject({
    kind: "invalid",
    row: { seq: 7, code: "value_missing", field: "mrr" },
  });
});

test("a value that does not fit names its field and leaves the other rows alone", () => {
  expect(map([column("mrr", "email")], {})).toMatchObject({
    kind: "invalid",
    row: { seq: 7, code: "not_a_number", field: "mrr" },
  });
});

test("dots nest, and no target reaches a prototype", () => {
  const nested = changeOf(map([column("address.city", "id"), column("address.zip", "email")], {}));
  expect(JSON.stringify(nested.change.record)).toBe('{"address":{"city":"1","zip":"a@b.example"}}');
  const hostile = changeOf(map([column("__proto__", "id")], {}));
  expect(Object.keys(hostile.change.record)).toEqual(["__proto__"]);
  expect(Object.getPrototypeOf({})).not.toHaveProperty("id");
});

test("an empty match value makes the row invalid: it would find no record, or the wrong one", () => {
  expect(map([], { cells: ["1", null, null] })).toMatchObject({
    kind: "invalid",
    row: { code: "match_empty", field: "email" },
  });
});

test("a removal carries what finds the record, and clears only when it is told to", () => {
  const known = { recordHash: "h", destinationId: "42", match: ["old@b.example"] };
  const planned = { kind: "removed", cells: null, known } as const;
  expect(changeOf(map([column("mrr", "mrr")], planned)).change).toEqual({
    seq: 7,
    match: { email: "old@b.example" },
    record: {},
    destinationId: "42",
    renamed: false,
  });
  expect(changeOf(map([column("mrr", "mrr")], planned, { removed: "clear" })).change.record).toEqual({ mrr: null });
});

test("a row whose match value changed renames the record that it had", () => {
  const known = { recordHash: "h", destinationId: "42", match: ["old@b.example"] };
  expect(changeOf(map([], { kind: "changed", known })).change).toMatchObject({ renamed: true, destinationId: "42" });
  expect(changeOf(map([], { kind: "changed", known: { ...known, match: ["a@b.example"] } })).change.renamed).toBe(
    false,
  );
});

test("equal records have equal hashes, different ones differ", () => {
  const hash = (cells: readonly (string | null)[]): string =>
    changeOf(map([column("mrr", "mrr")], { cells })).recordHash;
  expect(hash(["1", "a@b.example", "12.5"])).toBe(hash(["2", "A@b.example", "12.50"]));
  expect(hash(["1", "a@b.example", null])).not.toBe(hash(["1", "a@b.example", "0"]));
});
