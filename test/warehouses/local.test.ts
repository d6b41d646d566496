/** What only a planner outside its source has to hold: its files, its ledger, and the time between its two reads. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PlanCounts, PlannedChange, PlanRequest, RunRef } from "../../src/warehouse.ts";
import type { Database, SessionOptions } from "../../src/warehouses/dialect.ts";
import { DuckdbDatabase } from "../../src/warehouses/duckdb/database.ts";
import { FolderStore } from "../../src/warehouses/local/folder-store.ts";
import { LocalPlanner } from "../../src/warehouses/local/planner.ts";
import type { StateStore } from "../../src/warehouses/local/store.ts";
import { all, backOff, localPlace } from "./place.ts";

const now = new Date("2026-11-23T12:00:00Z");
const model = { from: { table: "model" }, key: ["id"] };
const columns = [
  { name: "id", type: "integer", native: "INTEGER" },
  { name: "name", type: "text", native: "VARCHAR" },
] as const;

let folder: string;
let source: DuckdbDatabase;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-local-"));
  source = new DuckdbDatabase({ path: ":memory:", memoryLimit: "128MB", threads: undefined, lockWaitMs: 0 });
  await set("create table model (id integer, name varchar)");
});
afterEach(async () => {
  await source.close();
  rmSync(folder, { recursive: true });
});

async function set(sql: string): Promise<void> {
  await source.session((session) => session.execute(sql));
}

/** The model's rows, all of them. */
async function become(...rows: readonly string[]): Promise<void> {
  await set("delete from model");
  if (rows.length > 0) await set(`insert into model values ${rows.join(", ")}`);
}

const stateFolder = (): string => join(folder, "state", "sync");

function plannerOn(store: StateStore = new FolderStore(join(folder, "state")), read: Database = source): LocalPlanner {
  const scratch = { folder: localPlace(folder).scratch, memoryLimit: "128MB" };
  return new LocalPlanner({ source: read, store, scratch, sync: "sync", describe: () => Promise.resolve(columns) });
}

function plan(planner: LocalPlanner, run: RunRef, more: Partial<PlanRequest> = {}): Promise<PlanCounts> {
  return planner.plan({ run, model, columns, match: [], salt: "s", scope: "changes", removals: true, now, ...more });
}

const read = (planner: LocalPlanner, run: RunRef): Promise<readonly PlannedChange[]> =>
  all(planner.read(run, { columns, pageRows: 100 }));

/** Plans, and has everything accepted. Returns what was planned. */
async function sync(planner: LocalPlanner, run: RunRef, more?: Partial<PlanRequest>): Promise<readonly string[]> {
  await plan(planner, run, more);
  const changes = await read(planner, run);
  await planner.record(run, [changes.map(({ seq }) => ({ seq, kind: "accepted", recordHash: run.id }))]);
  expect(await planner.commit(run, { now, backOff })).toBe("committed");
  return changes.map(({ kind, rowKey, cells }) => [kind, rowKey, cells?.[1]].join(" ").trim());
}

const known = async (planner: LocalPlanner): Promise<readonly string[]> =>
  (await all(planner.state())).map(({ rowKey, recordHash }) => `${rowKey} ${recordHash}`);

/** The source, with something done to it before its n-th read of a plan. */
function changing(...before: readonly (readonly string[])[]): Database {
  let reads = 0;
  return new Proxy(source, {
    get(target, property) {
      if (property !== "stream") {
        const found: unknown = Reflect.get(target, property, target);
        return typeof found === "function" ? found.bind(target) : found;
      }
      return async function* (sql: string, options: SessionOptions) {
        for (const statement of before[reads++] ?? []) await set(statement);
        yield* target.stream(sql, options);
      };
    },
  });
}

describe("between the read that compares and the one that brings the cells", () => {
  const first = ["(1, 'a')", "(2, 'b')", "(3, 'c')", "(4, 'd')", "(5, 'e')"];
  beforeEach(async () => {
    await become(...first);
    await sync(plannerOn(), { id: "first", fence: 1 });
    await set("update model set name = upper(name) where id in (2, 3)");
  });
  const during = (...statements: readonly string[]): LocalPlanner => plannerOn(undefined, changing([], statements));

  test("a row that changed once more is planned with the values that are sent", async () => {
    const planner = during("update model set name = 'newer' where id = 2");
    expect(await sync(planner, { id: "second", fence: 2 })).toEqual(["changed 2 newer", "changed 3 C"]);
    expect((await plan(plannerOn(), { id: "third", fence: 3 })).unchanged).toBe(5);
  });

  test("a row that went leaves the plan, without a gap, and is removed by the next", async () => {
    const planner = during("delete from model where id = 2");
    const counts = await plan(planner, { id: "second", fence: 2 });
    expect(counts).toMatchObject({ changed: 1, removed: 0, unchanged: 3, modelRows: 4 });
    expect(await read(planner, { id: "second", fence: 2 })).toMatchObject([{ seq: 1, rowKey: "3" }]);
    await planner.discard({ id: "second", fence: 2 });
    expect(await sync(plannerOn(), { id: "third", fence: 3 })).toEqual(["removed 2", "changed 3 C"]);
  });

  test("a key that came to be shared leaves the plan, and is reported by the next", async () => {
    const planner = during("insert into model values (2, 'twin')");
    expect(await sync(planner, { id: "second", fence: 2 })).toEqual(["changed 3 C"]);
    expect(await sync(plannerOn(), { id: "third", fence: 3 })).toEqual(["duplicate_key 2 B", "duplicate_key 2 twin"]);
  });

  test("a row with other match values leaves the plan: those were not compared with the others'", async () => {
    const match = { match: ["name"] };
    const planner = during("update model set name = 'C' where id = 2");
    expect(await sync(planner, { id: "second", fence: 2 }, match)).toEqual(["changed 3 C"]);
    const next = await sync(plannerOn(), { id: "third", fence: 3 }, match);
    expect(next).toEqual(["duplicate_match 2 C", "duplicate_match 3 C"]);
  });

  test.each([
    ["many changes come with one more read of the model", 30_000, "true"],
    ["few of many rows come by their keys, some thousands at a time", 120_000, "id % 10 = 0"],
  ])("%s", async (_, rows, which) => {
    await set(`insert into model select i, 'x' from range(10, ${rows}) as r(i)`);
    await sync(plannerOn(), { id: "second", fence: 2 });
    await set(`update model set name = name || '!' where id >= 10 and ${which}`);
    const { changed } = await plan(plannerOn(), { id: "third", fence: 3 });
    const changes = await read(plannerOn(), { id: "third", fence: 3 });
    expect(changes).toHaveLength(changed);
    expect(changes.length).toBeGreaterThan(10_000);
    expect(changes.every(({ seq, cells }, index) => seq === index + 1 && cells?.[1] === "x!")).toBe(true);
  });
});

describe("a crash", () => {
  /** The store, which ends its process at its n-th call: before the call has done its work, or after. */
  function dying(at: number, after: boolean): StateStore {
    const store = new FolderStore(join(folder, "state"));
    let calls = 0;
    return new Proxy(store, {
      get(target, property) {
        const found: unknown = Reflect.get(target, property, target);
        if (typeof found !== "function") return found;
        return async (...given: unknown[]) => {
          calls += 1;
          if (calls > at || (calls === at && !after)) throw new Error("killed");
          const result: unknown = await found.apply(target, given);
          if (calls === at) throw new Error("killed");
          return result;
        };
      },
    });
  }

  test.each([true, false])(
    "at any call of the store leaves a state from which the next run gets right (after: %s)",
    async (after) => {
      for (let at = 1, survived = false; !survived; at += 1) {
        rmSync(stateFolder(), { recursive: true, force: true });
        await become("(1, 'a')", "(2, 'b')", "(3, 'c')");
        await sync(plannerOn(), { id: "first", fence: 1 });
        await become("(1, 'a')", "(2, 'B')", "(4, 'd')");
        const outcome = await sync(plannerOn(dying(at, after)), { id: "second", fence: 2 }).catch(
          (error: unknown) => error,
        );
        survived = !(outcome instanceof Error);
        const planner = plannerOn();
        expect([
          ["1 first", "2 first", "3 first"],
          ["1 first", "2 second", "4 second"],
        ]).toContainEqual(await known(planner));
        // What the next worker does: it takes over what is open, and settles it without a word of what was sent.
        for (const open of await planner.openRuns()) {
          const taken = { id: open.id, fence: 3 };
          expect(await planner.takeOver(taken)).toBe(true);
          expect(await planner.commit(taken, { now, backOff })).toBe("committed");
        }
        await sync(planner, { id: "third", fence: 4 });
        expect((await known(planner)).map((row) => row.split(" ")[0])).toEqual(["1", "2", "4"]);
        expect((await plan(planner, { id: "fourth", fence: 5 })).unchanged).toBe(3);
        expect(at).toBeLessThan(40);
      }
    },
  );

  test("leaves no file behind for good", async () => {
    await become("(1, 'a')");
    await sync(plannerOn(), { id: "first", fence: 1 });
    const half = join(stateFolder(), "state-00000000-0000-0000-0000-000000000000.parquet");
    const scratch = join(folder, "scratch", "scratch-left");
    writeFileSync(half, "half");
    mkdirSync(scratch);
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    for (const path of [half, scratch]) utimesSync(path, yesterday, yesterday);
    await become("(1, 'b')");
    await sync(plannerOn(), { id: "second", fence: 2 });
    expect(existsSync(half)).toBe(false);
    expect(readdirSync(join(folder, "scratch"))).toEqual([]);
  });
});

describe("two processes on one folder", () => {
  test("only one of two plans made at the same time is opened", async () => {
    await become("(1, 'a')");
    const attempts = await Promise.allSettled([
      plan(plannerOn(), { id: "one", fence: 1 }),
      plan(plannerOn(), { id: "two", fence: 2 }),
    ]);
    expect(attempts.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await plannerOn().openRuns()).toHaveLength(1);
  });

  test("a hundred changes of the ledger at once are all kept", async () => {
    const store = new FolderStore(join(folder, "state"));
    const add = async (): Promise<void> => {
      for (;;) {
        const before = await store.readLedger("sync");
        if (await store.replaceLedger("sync", `${before?.text ?? ""}x`, before)) return;
      }
    };
    await Promise.all(Array.from({ length: 100 }, add));
    expect((await store.readLedger("sync"))?.text).toBe("x".repeat(100));
    // Those that were replaced stay for a while, and then go.
    for (const file of readdirSync(stateFolder())) utimesSync(join(stateFolder(), file), 0, 0);
    await add();
    expect(readdirSync(stateFolder())).toEqual(["ledger-101.json"]);
  });

  test("who read the ledger long ago cannot replace it", async () => {
    const store = new FolderStore(join(folder, "state"));
    await store.replaceLedger("sync", "1", null);
    const old = await store.readLedger("sync");
    for (const text of ["2", "3", "4"]) await store.replaceLedger("sync", text, await store.readLedger("sync"));
    expect(await store.replaceLedger("sync", "late", old)).toBe(false);
    expect((await store.readLedger("sync"))?.text).toBe("4");
  });
});

describe("a folder", () => {
  test("that was lost makes every row new, and the counts tell that state was empty", async () => {
    await become("(1, 'a')", "(2, 'b')");
    await sync(plannerOn(), { id: "first", fence: 1 });
    rmSync(join(folder, "state"), { recursive: true });
    expect(await plan(plannerOn(), { id: "second", fence: 2 })).toMatchObject({ added: 2, removed: 0, stateRows: 0 });
  });

  test("of which a part was lost is not taken for an empty one", async () => {
    await become("(1, 'a')");
    await sync(plannerOn(), { id: "first", fence: 1 });
    for (const file of readdirSync(stateFolder())) if (file.startsWith("state-")) rmSync(join(stateFolder(), file));
    await expect(plan(plannerOn(), { id: "second", fence: 2 })).rejects.toMatchObject({ code: "state_file_missing" });
    writeFileSync(join(stateFolder(), "ledger-99.json"), "{}");
    await expect(plannerOn().openRuns()).rejects.toMatchObject({ code: "broken_ledger" });
  });

  test("that cannot be written is told before anything is planned", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(new FolderStore(join(folder, "file")).check()).rejects.toMatchObject({ code: "state_not_writable" });
    await new FolderStore(join(folder, "made", "deep")).check();
    expect(readdirSync(join(folder, "made", "deep"))).toEqual([]);
  });
});
