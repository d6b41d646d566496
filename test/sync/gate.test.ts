import { expect, test } from "vitest";
import { checkGate } from "../../src/sync/gate.ts";
import type { GateSpec, RunKind } from "../../src/sync/ports.ts";
import type { PlanCounts } from "../../src/warehouse.ts";

const gate: GateSpec = { removed: { percent: 30 }, rejected: { percent: 10 }, keys: "withhold" };

function plan(counts: Partial<PlanCounts>): PlanCounts {
  return {
    added: 0,
    changed: 0,
    removed: 0,
    nullKeys: 0,
    duplicateKeys: 0,
    duplicateMatches: 0,
    unchanged: 0,
    waiting: 0,
    modelRows: 100,
    stateRows: 100,
    notFound: 0,
    ...counts,
  };
}

function reasons(counts: Partial<PlanCounts>, spec = gate, kind: RunKind = "changes"): readonly string[] {
  return (checkGate(plan(counts), spec, kind)?.reasons ?? []).map(({ code }) => code);
}

test("removals up to the bound pass, one more holds the run", () => {
  expect(reasons({ removed: 30 })).toEqual([]);
  expect(reasons({ removed: 31 })).toEqual(["too_many_removals"]);
  expect(reasons({ removed: 6 }, { ...gate, removed: { rows: 5 } })).toEqual(["too_many_removals"]);
});

test("an empty model that had rows holds the run, whatever the bound", () => {
  expect(reasons({ removed: 100, modelRows: 0 }, { ...gate, removed: { percent: 100 } })).toEqual(["model_empty"]);
});

test("of named rows all may be gone, up to the bound of the whole", () => {
  expect(reasons({ removed: 2, modelRows: 0 }, gate, "keys")).toEqual([]);
  expect(reasons({ removed: 31, modelRows: 0 }, gate, "keys")).toEqual(["too_many_removals"]);
});

test("an empty model removes nothing where nothing is removed", () => {
  expect(reasons({ removed: 0, modelRows: 0 })).toEqual([]);
});

test("rows with bad keys hold the run only where the sync says so", () => {
  expect(reasons({ nullKeys: 1, duplicateKeys: 2 })).toEqual([]);
  expect(reasons({ nullKeys: 1 }, { ...gate, keys: "hold" })).toEqual(["faulty_keys"]);
});
