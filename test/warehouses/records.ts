/** What every planner in a warehouse must do with the records that a sync keeps. */
import { describe, expect, test } from "vitest";
import {
  type Column,
  type KeptRecords,
  type OutcomeRow,
  type PlannedChange,
  type Planner,
  revertColumns,
  type RunRef,
} from "../../src/warehouse.ts";
import { all, backOff, type Place } from "./place.ts";

const noon = new Date("2026-11-23T12:00:00Z");
const days = (number: number): Date => new Date(noon.getTime() + number * 86_400_000);

/** A sync that keeps records: each row's record is its cells, its hash the record itself. */
class Keeping {
  readonly planner: Planner;
  readonly records: KeptRecords;
  readonly #place: Place;
  #runs = 0;

  constructor(place: Place, sync: string) {
    this.#place = place;
    this.planner = place.warehouse.planner(sync);
    if (!this.planner.records) throw new Error("the planner keeps no records");
    this.records = this.planner.records;
  }

  next(): RunRef {
    this.#runs += 1;
    return { id: `run-${this.#runs}`, fence: this.#runs };
  }

  /** Plans the rows, sends all, and commits; `kinds`: other outcomes than accepted, by row key. */
  async run(
    values: string,
    {
      kinds = {},
      now = noon,
      staged = true,
    }: { kinds?: Record<string, OutcomeRow["kind"]>; now?: Date; staged?: boolean } = {},
  ): Promise<string> {
    const model = { from: { sql: `select * from (values ${values}) as v(id, name) where id <> 'none'` }, key: ["id"] };
    const columns = await this.#place.warehouse.columns(model);
    const run = this.next();
    const base = { match: ["id"], salt: "salt", scope: "changes", removals: true } as const;
    await this.planner.plan({ run, model, columns, now, ...base });
    const changes = await all(this.planner.read(run, { columns, pageRows: 10 }));
    await this.settle(run, changes, { kinds, now, staged });
    return run.id;
  }

  async settle(
    run: RunRef,
    changes: readonly PlannedChange[],
    {
      kinds = {},
      now = noon,
      staged = true,
    }: { kinds?: Record<string, OutcomeRow["kind"]>; now?: Date; staged?: boolean },
  ): Promise<void> {
    const kept = changes
      .filter(({ cells }) => cells !== null)
      .map((change) => ({ ...hashed(change), seq: change.seq }));
    await this.records.stage(run, pagesOf(staged ? kept : []));
    const outcomes = changes.map((change): OutcomeRow => {
      const kind = kinds[change.rowKey] ?? "accepted";
      return { seq: change.seq, kind, ...(change.cells === null ? {} : { recordHash: hashed(change).recordHash }) };
    });
    await this.planner.record(run, [outcomes]);
    expect(await this.planner.commit(run, { now, backOff, keepRecords: true })).toBe("committed");
  }

  async revert(reverts: string): Promise<readonly PlannedChange[]> {
    const run = this.next();
    await this.records.planRevert({ run, reverts, now: noon });
    const changes = await all(this.planner.read(run, { columns: revertColumns, pageRows: 10 }));
    await this.settle(run, changes, {});
    return changes;
  }

  async found(...rowKeys: string[]): Promise<Record<string, string>> {
    return Object.fromEntries(await this.records.find(rowKeys));
  }
}

/** A record of a revert is in one cell as it was staged. */
function hashed({ cells }: PlannedChange): { recordHash: string; record: string } {
  const record = cells?.length === 1 ? (cells[0] ?? "") : JSON.stringify(cells);
  return { recordHash: record, record };
}

async function* pagesOf<Item>(items: readonly Item[]): AsyncGenerator<readonly Item[]> {
  yield items;
}

const record = (id: string, name: string): string => JSON.stringify([id, name]);

export function keptRecords(place: () => Place, sync: () => string): void {
  describe("kept records", () => {
    const keeping = (): Keeping => new Keeping(place(), sync());

    test("the record last accepted is found, of no other row any", async () => {
      const one = keeping();
      await one.run("('a', 'Ann'), ('b', 'Ben'), ('c', 'Cem')", { kinds: { b: "rejected", c: "in_doubt" } });
      expect(await one.found("a", "b", "c", "no such", "it's \\")).toEqual({ a: record("a", "Ann") });
      await one.run("('a', 'Anna'), ('b', 'Ben')", { kinds: { a: "rejected" }, now: days(1) });
      expect(await one.found("a", "b")).toEqual({ a: record("a", "Ann"), b: record("b", "Ben") });
    });

    test("of a row that was accepted while nothing was staged, none is known", async () => {
      const one = keeping();
      await one.run("('a', 'Ann')");
      await one.run("('a', 'Anna')", { staged: false });
      expect(await one.found("a")).toEqual({});
    });

    test("a run is undone: changed rows go back, removed ones come again, new ones stay", async () => {
      const one = keeping();
      await one.run("('a', 'Ann'), ('b', 'Ben'), ('c', 'Cem')");
      const before = await all(one.planner.state());
      const bad = await one.run("('a', '?'), ('b', 'Ben'), ('d', 'Dan')");
      const preview = { run: { id: "preview", fence: 0 }, reverts: bad, now: noon, dryRun: true };
      expect(await one.records.planRevert(preview)).toMatchObject({
        plan: { changed: 1, added: 1, removed: 0, unchanged: 0 },
        first: 1,
        overtaken: 0,
        unknown: 0,
      });
      const undone = await one.revert(bad);
      expect(undone.map(({ kind, rowKey, cells }) => [kind, rowKey, cells?.[0]])).toEqual([
        ["changed", "a", record("a", "Ann")],
        ["added", "c", record("c", "Cem")],
      ]);
      expect(await one.found("a", "b", "c", "d")).toEqual({
        a: record("a", "Ann"),
        b: record("b", "Ben"),
        c: record("c", "Cem"),
        d: record("d", "Dan"),
      });
      const state = (await all(one.planner.state())).filter(({ rowKey }) => rowKey !== "d");
      expect(state.map(({ runId: _run, ...row }) => row)).toEqual(before.map(({ runId: _run, ...row }) => row));
    });

    test("what the model says is planned again after a revert, and a revert can be undone", async () => {
      const one = keeping();
      await one.run("('a', 'Ann')");
      const bad = await one.run("('a', '?')");
      await one.revert(bad);
      await one.run("('a', '?')");
      expect(await one.found("a")).toEqual({ a: record("a", "?") });
      await one.revert("run-4");
      expect(await one.found("a")).toEqual({ a: record("a", "Ann") });
      await one.revert("run-5");
      expect(await one.found("a")).toEqual({ a: record("a", "?") });
    });

    test("what a later run has sent again, removed, or left in doubt is not undone", async () => {
      const one = keeping();
      await one.run("('a', 'Ann'), ('b', 'Ben'), ('c', 'Cem'), ('d', 'Dan')");
      const bad = await one.run("('a', '?'), ('b', '?'), ('c', '?')");
      await one.run("('a', 'Anna'), ('c', 'C'), ('d', 'Dan')", { kinds: { c: "in_doubt" } });
      const run = { id: "preview", fence: 0 };
      expect(await one.records.planRevert({ run, reverts: bad, now: noon, dryRun: true })).toMatchObject({
        plan: { changed: 0, added: 0 },
        overtaken: 4,
      });
    });

    test("a row without an earlier record is told, and stays", async () => {
      const one = keeping();
      await one.run("('a', 'Ann')", { staged: false });
      const bad = await one.run("('a', '?')");
      const run = { id: "preview", fence: 0 };
      const asked = { run, reverts: bad, now: noon, dryRun: true };
      expect(await one.records.planRevert(asked)).toMatchObject({ plan: { changed: 0 }, unknown: 1 });
      expect(await one.records.planRevert({ ...asked, reverts: "no such run" })).toMatchObject({
        unknown: 0,
        first: 0,
      });
    });

    test("what was replaced is forgotten after two weeks", async () => {
      const one = keeping();
      await one.run("('a', 'Ann'), ('b', 'Ben')");
      const bad = await one.run("('a', '?'), ('b', 'Ben')");
      await one.run("('a', '?'), ('b', 'B')", { now: days(15) });
      const run = { id: "preview", fence: 0 };
      expect(await one.records.planRevert({ run, reverts: bad, now: noon, dryRun: true })).toMatchObject({
        plan: { changed: 0 },
        unknown: 0,
      });
      expect(await one.found("a")).toEqual({ a: record("a", "?") });
    });

    test("a worker that was overtaken stages nothing", async () => {
      const one = keeping();
      await one.run("('a', 'Ann')");
      const model = { from: { sql: "select 'a' as id, 'Anna' as name" }, key: ["id"] };
      const columns: readonly Column[] = await place().warehouse.columns(model);
      const base = { match: ["id"], salt: "salt", scope: "changes", removals: true, now: noon } as const;
      const late = { id: "run-2", fence: 2 };
      await one.planner.plan({ run: late, model, columns, ...base });
      const changes = await all(one.planner.read(late, { columns, pageRows: 10 }));
      expect(await one.planner.takeOver({ ...late, fence: 3 })).toBe(true);
      await one.settle({ ...late, fence: 3 }, changes, {});
      await one.records.stage(late, pagesOf([{ seq: 1, recordHash: "x", record: "x" }]));
      expect(await one.planner.commit(late, { now: noon, backOff, keepRecords: true })).toBe("already_done");
      expect(await one.found("a")).toEqual({ a: record("a", "Anna") });
    });
  });
}
