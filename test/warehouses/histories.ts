/** Random histories of a sync, against what state must be: edits, outcomes, crashes, take-overs, repeated commits. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OutcomeRow, PlannedChange, RunRef } from "../../src/warehouse.ts";
import { all, backOff, type Place } from "./place.ts";

const keys = ["a", "b", "c", "d"] as const;

/** One run: what the model holds then, what becomes of each change, and what happens to its worker. */
const step = fc.record({
  model: fc.array(fc.tuple(fc.constantFrom(...keys, null), fc.constantFrom("1", "2", "3")), { maxLength: 6 }),
  outcomes: fc.array(fc.constantFrom("accepted", "accepted", "rejected", "invalid", "in_doubt", "none"), {
    minLength: 12,
    maxLength: 12,
  }),
  fault: fc.constantFrom(
    "no",
    "no",
    "crash before record",
    "crash after record",
    "taken over",
    "commit twice",
    "discard",
  ),
  removals: fc.boolean(),
  scope: fc.constantFrom("changes", "changes", "full"),
  minutes: fc.constantFrom(0, 1, 20),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What the planner must know, kept by rules simple enough to be read off. */
class Expected {
  /** Row key → the value that the destination holds; null when in doubt. */
  readonly state = new Map<string, string | null>();
  readonly failed = new Map<string, { attempts: number; nextAt: number }>();

  planned({ model, removals, scope }: Step, now: number): { kinds: string[]; waiting: number } {
    const counts = Map.groupBy(model, ([key]) => key);
    const found: { kind: string; key: string | null; value: string | null }[] = model.map(([key, value]) => {
      const copies = counts.get(key)?.length ?? 0;
      const known = key !== null && this.state.has(key);
      const kind = key === null ? "null_key" : copies > 1 ? "duplicate_key" : known ? "changed" : "added";
      return { kind, key, value };
    });
    const differing = found.filter(
      ({ kind, key, value }) => kind !== "changed" || scope === "full" || this.state.get(key ?? "") !== value,
    );
    const gone = [...this.state.keys()].filter((key) => removals && !counts.has(key as (typeof keys)[number]));
    const candidates = [...differing, ...gone.map((key) => ({ kind: "removed", key, value: null }))];
    const waits = (row: { kind: string; key: string | null; value: string | null }): boolean =>
      scope !== "full" && (this.failed.get(entry(row))?.nextAt ?? 0) > now;
    return {
      kinds: candidates.filter((row) => !waits(row)).map(({ kind, key }) => `${kind} ${key}`),
      waiting: candidates.filter(waits).length,
    };
  }

  commit(changes: readonly PlannedChange[], outcomes: ReadonlyMap<number, OutcomeRow["kind"]>, now: number): void {
    const refused = new Map<string, { attempts: number; nextAt: number }>();
    const kept = new Map(this.failed);
    for (const { seq, kind, rowKey, cells } of changes) {
      const outcome = outcomes.get(seq);
      const key = entry({ kind, key: kind === "null_key" ? null : rowKey, value: cells?.[1] ?? null });
      if (outcome === "rejected" || outcome === "invalid") {
        const attempts = (this.failed.get(key)?.attempts ?? 0) + 1;
        refused.set(key, { attempts, nextAt: now + Math.min(backOff.maxMs, backOff.firstMs * 2 ** (attempts - 1)) });
      }
      if (outcome === "accepted" || outcome === "in_doubt") kept.delete(key);
      if (kind === "null_key" || kind === "duplicate_key" || kind === "duplicate_match") continue;
      if (outcome === "accepted" && kind === "removed") this.state.delete(rowKey);
      if (outcome === "accepted" && kind !== "removed") this.state.set(rowKey, cells?.[1] ?? null);
      if (outcome === "in_doubt") this.state.set(rowKey, null);
    }
    this.failed.clear();
    for (const [key, value] of [...kept, ...refused]) this.failed.set(key, value);
  }

  /** Entries of rows that were not in the plan are forgotten at a commit. */
  forget(present: ReadonlySet<string>): void {
    for (const key of this.failed.keys()) if (!present.has(key)) this.failed.delete(key);
  }
}

function entry({ kind, key, value }: { kind: string; key: string | null; value: string | null }): string {
  return JSON.stringify([kind, key, value]);
}

/** Declares the property. Copies of one row are told apart by nothing, so their outcomes are made equal. */
export function planningHistories(place: () => Place, sync: () => string): void {
  test("any history of edits, outcomes, crashes and take-overs leaves the state that the rules say", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const planner = place().warehouse.planner(sync());
        const expected = new Expected();
        let now = Date.parse("2026-11-23T12:00:00Z");
        let fence = 0;
        for (const one of steps) {
          now += one.minutes * 60_000;
          let run: RunRef = { id: `run-${(fence += 1)}`, fence };
          const model = { from: { sql: modelSql(one.model) }, key: ["id"] };
          const columns = await place().warehouse.columns(model);
          const { removals, scope } = one;
          const request = { run, model, columns, match: ["id"], salt: "", scope, removals, now: new Date(now) };
          const counts = await planner.plan(request);
          const changes = await all(planner.read(run, { columns, pageRows: 3 }));
          const wanted = expected.planned(one, now);
          expect(
            changes.map(({ kind, rowKey }) => `${kind} ${kind === "null_key" ? null : rowKey}`).toSorted(),
          ).toEqual(wanted.kinds.toSorted());
          expect(counts.waiting).toBe(wanted.waiting);

          const outcomes = new Map<number, OutcomeRow["kind"]>();
          const byEntry = new Map<string, (typeof one.outcomes)[number]>();
          changes.forEach(({ seq, kind, rowKey, cells }, index) => {
            const key = entry({ kind, key: kind === "null_key" ? null : rowKey, value: cells?.[1] ?? null });
            const outcome = byEntry.get(key) ?? one.outcomes[index % one.outcomes.length] ?? "none";
            byEntry.set(key, outcome);
            if (outcome !== "none") outcomes.set(seq, outcome);
          });
          if (one.fault === "discard") {
            await planner.discard(run);
            continue;
          }
          if (one.fault === "crash before record") outcomes.clear();
          else await planner.record(run, [[...outcomes].map(([seq, kind]) => ({ seq, kind, recordHash: "h" }))]);
          if (one.fault.startsWith("crash") || one.fault === "taken over") {
            const old = run;
            run = { id: run.id, fence: (fence += 1) };
            expect(await planner.takeOver(run)).toBe(true);
            if (one.fault === "taken over") {
              const late = changes.map(({ seq }) => ({ seq, kind: "accepted" as const, recordHash: "late" }));
              await planner.record(old, [late]);
              expect(await planner.commit(old, { now: new Date(now), backOff })).toBe("fenced");
            }
          }
          expect(await planner.commit(run, { now: new Date(now), backOff })).toBe("committed");
          if (one.fault === "commit twice") {
            expect(await planner.commit(run, { now: new Date(now), backOff })).toBe("already_done");
          }
          const before = new Map(expected.failed);
          const candidates = candidatesOf(expected, one);
          expected.commit(changes, outcomes, now);
          expected.forget(new Set([...candidates, ...[...expected.failed.keys()].filter((key) => !before.has(key))]));
          const state = (await all(planner.state())).map(({ rowKey, inDoubt }) => `${rowKey} ${inDoubt}`);
          expect(state).toEqual([...expected.state].map(([key, value]) => `${key} ${value === null}`).toSorted());
        }
        await planner.drop();
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });
}

/** The entries of all rows that the plan had, waiting or not. */
function candidatesOf(expected: Expected, one: Step): readonly string[] {
  const counts = Map.groupBy(one.model, ([key]) => key);
  const present = one.model.map(([key, value]) => {
    const known = key !== null && expected.state.has(key);
    const unchanged = known && one.scope !== "full" && expected.state.get(key) === value;
    const copies = counts.get(key)?.length ?? 0;
    const kind =
      key === null ? "null_key" : copies > 1 ? "duplicate_key" : unchanged ? "unchanged" : known ? "changed" : "added";
    return entry({ kind, key, value });
  });
  const gone = [...expected.state.keys()].filter((key) => one.removals && !counts.has(key as (typeof keys)[number]));
  return [...present, ...gone.map((key) => entry({ kind: "removed", key, value: null }))];
}

function modelSql(model: Step["model"]): string {
  const empty = "select cast(null as varchar) as id, cast(null as varchar) as name where false";
  const selects = model.map(([key, value]) => `select ${key === null ? "null" : `'${key}'`}, '${value}'`);
  return [empty, ...selects].join(" union all ");
}
