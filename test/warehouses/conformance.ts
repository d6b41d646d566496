/** What every warehouse must do, called for each by its test file. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  Column,
  ColumnType,
  Filter,
  OutcomeRow,
  PlanCounts,
  PlannedChange,
  Planner,
  PlanRequest,
  RunRef,
  StateRow,
  Warehouse,
} from "../../src/warehouse.ts";
import { planningHistories } from "./histories.ts";
import { all, backOff, eachPage, type Place } from "./place.ts";
import { keptRecords } from "./records.ts";

export interface WarehouseUnderTest {
  readonly name: string;
  readonly open: () => Promise<Place>;
  /** An expression of each native type, its logical type, and its cell. */
  readonly types: readonly (readonly [expression: string, type: ColumnType, cell: string])[];
  /** What a column is called that was quoted when it was made. Default: as it is. */
  readonly columnNamed?: (quoted: string) => string;
  /** A text as SQL. Default: in single quotes, doubled inside. */
  readonly literal?: (text: string) => string;
  /** Names of columns that the warehouse's driver, not ours, cannot take. */
  readonly impossibleColumns?: readonly string[];
  /** Its planner can keep records. Default: yes. */
  readonly keepsRecords?: boolean;
  /** Pairs of expressions that hold the same value, the second in a wider type. */
  readonly widenings: readonly (readonly [narrow: string, wide: string])[];
}

const noon = new Date("2026-11-23T12:00:00Z");
const later = (ms: number): Date => new Date(noon.getTime() + ms);

/** A sync in miniature: a model over `select … from (values …)`, planned and committed run by run. */
class Trial {
  readonly planner: Planner;
  readonly #warehouse: Warehouse;
  #runs = 0;

  constructor(warehouse: Warehouse, sync: string) {
    this.#warehouse = warehouse;
    this.planner = warehouse.planner(sync);
  }

  async plan(
    sql: string,
    options: Partial<PlanRequest> & { key?: readonly string[]; filter?: Filter } = {},
  ): Promise<{ run: RunRef; counts: PlanCounts; changes: readonly PlannedChange[]; columns: readonly Column[] }> {
    this.#runs += 1;
    const { key = ["id"], filter, ...rest } = options;
    const model = { from: { sql }, key, ...(filter && { filter }) };
    const columns = await this.#warehouse.columns(model);
    const run = { id: `run-${this.#runs}`, fence: this.#runs };
    const request: PlanRequest = {
      run,
      model,
      columns,
      match: [],
      salt: "salt",
      scope: "changes",
      removals: true,
      now: noon,
      ...rest,
    };
    const counts = await this.planner.plan(request);
    const dryRun = request.dryRun ?? false;
    const pages = this.planner.read(request.run, { columns: request.columns, pageRows: 2, dryRun });
    return { run: request.run, counts, changes: await all(pages), columns: request.columns };
  }

  async settle(run: RunRef, outcomes: readonly OutcomeRow[], now = noon): Promise<string> {
    await this.planner.record(run, [outcomes]);
    return await this.planner.commit(run, { now, backOff });
  }

  /** Plans, and gives every change the outcome that its key has in `outcomes`, accepted when it has none. */
  async sync(
    sql: string,
    options: Parameters<Trial["plan"]>[1] = {},
    outcomes: Readonly<Record<string, OutcomeRow["kind"] | "none">> = {},
  ): Promise<readonly PlannedChange[]> {
    const { run, changes } = await this.plan(sql, options);
    const rows = changes.flatMap(({ seq, rowKey }): OutcomeRow[] => {
      const kind = outcomes[rowKey] ?? "accepted";
      return kind === "none" ? [] : [{ seq, kind, recordHash: `hash-${run.id}`, code: "code", message: "message" }];
    });
    expect(await this.settle(run, rows, options.now)).toBe("committed");
    return changes;
  }

  async state(): Promise<readonly StateRow[]> {
    return await all(this.planner.state());
  }
}

const rows = (...values: readonly string[]): string =>
  values.length === 0
    ? "select * from (values (0, '')) as v(id, name) where id > 0"
    : `select * from (values ${values.join(", ")}) as v(id, name)`;
const kindsOf = (changes: readonly PlannedChange[]): string[] => changes.map(({ kind, rowKey }) => `${kind} ${rowKey}`);

export function conformance({
  name,
  open,
  types,
  widenings,
  columnNamed = (quoted) => quoted,
  literal = (text) => `'${text.replaceAll("'", "''")}'`,
  impossibleColumns = [],
  keepsRecords = true,
}: WarehouseUnderTest): void {
  describe(name, () => {
    let place: Place;
    let syncs = 0;
    const trial = (sync = `sync-${(syncs += 1)}`): Trial => new Trial(place.warehouse, sync);
    beforeAll(async () => {
      place = await open();
    });
    afterAll(async () => place.close());

    describe("models", () => {
      test("a connection that works passes its check", async () => {
        await place.warehouse.check();
      });

      test.each(types)("%s is %s, and its cell is %s", async (expression, type, cell) => {
        const from = { sql: `select 1 as id, ${expression} as value union all select 2, null` };
        const model = { from, key: ["id"] };
        const columns = await place.warehouse.columns(model);
        expect(columns.map((column) => column.type)).toEqual(["integer", type]);
        const sampled = await place.warehouse.sample(model, columns, 10);
        expect(sampled).toHaveLength(2);
        expect(await place.warehouse.count(model)).toBe(2);
        expect(sampled).toEqual(
          expect.arrayContaining([
            ["1", cell],
            ["2", null],
          ]),
        );
        const { changes } = await trial().plan(from.sql);
        expect(changes.map(({ cells }) => cells)).toEqual([
          ["1", cell],
          ["2", null],
        ]);
      });

      test.each([
        ["table_not_found", { table: "no_such_table" }],
        ["sql_error", { sql: "select from where" }],
        ["duplicate_column", { sql: "select 1 as id, 2 as id" }],
        ["key_column_missing", { sql: "select 1 as other" }],
        ["not_one_statement", { sql: "select 1 as id; drop table x" }],
        ["not_one_statement", { sql: "select 1 as id) as a, (select 2" }],
        ["not_one_statement", { sql: "select 1 as id /* never closed" }],
        ["not_one_statement", { sql: "select 'open as id" }],
        ["name_invalid", { table: "a; drop table b" }],
      ])("a wrong model fails by name: %s", async (code, from) => {
        await expect(place.warehouse.columns({ from, key: ["id"] })).rejects.toMatchObject({ code });
      });

      test("a model may end with a semicolon and a comment, and hold brackets in texts", async () => {
        const sql = 'select 1 as id, \');\' as a, "a b" from (select 2 as "a b") as t /* ) */; -- done';
        expect((await trial().plan(sql)).changes[0]?.cells).toEqual(["1", ");", "2"]);
        expect((await trial().plan("select 1 as id -- one")).counts.added).toBe(1);
      });

      test("a table is found by its name, also a strange one", async () => {
        await place.sql(`create schema "a.b"`);
        await place.sql(`create table "a.b"."x"" y" as select 7 as id`);
        const model = { from: { table: `"a.b"."x"" y"` }, key: ["id"] };
        const columns = await place.warehouse.columns(model);
        expect(await place.warehouse.sample(model, columns, 5)).toEqual([["7"]]);
      });

      test.each<[Filter, string[]]>([
        [{ column: "n", is: ">", value: 1 }, ["2", "3"]],
        [{ column: "name", is: "=", value: "it's" }, ["2"]],
        [{ column: "name", is: "!=", value: "it's" }, ["1", "3", "4"]],
        [{ column: "name", is: "in", value: ["it's", "a%b"] }, ["1", "2"]],
        [{ column: "name", is: "not_in", value: ["it's"] }, ["1", "3", "4"]],
        [{ column: "name", is: "in", value: [] }, []],
        [{ column: "name", is: "contains", value: "%" }, ["1"]],
        [{ column: "name", is: "starts_with", value: "🦆é" }, ["3"]],
        [{ column: "name", is: "ends_with", value: "s" }, ["2"]],
        [{ column: "name", is: "null" }, ["4"]],
        [{ column: "name", is: "not_null" }, ["1", "2", "3"]],
        [{ not: { column: "name", is: "=", value: "it's" } }, ["1", "3", "4"]],
        [{ not: { column: "name", is: "contains", value: "%" } }, ["2", "3", "4"]],
        [{ all: [{ column: "n", is: ">", value: 1 }, { sql: "n < 3 -- or so" }] }, ["2"]],
        [
          {
            any: [
              { column: "name", is: "null" },
              { column: "n", is: "=", value: 1 },
            ],
          },
          ["1", "4"],
        ],
        [{ column: "flag", is: "=", value: true }, ["1"]],
        [{ column: "name", is: "=", value: `' or 1=1; --` }, []],
      ])("filter %j", async (filter, expected) => {
        const sql = `select * from (values (1, 'a%b', 1, true), (2, 'it''s', 2, false), (3, '🦆éx', 3, false), (4, null, 0, null)) as v(id, name, n, flag)`;
        const { changes, counts } = await trial().plan(sql, { filter });
        expect(changes.map(({ rowKey }) => rowKey)).toEqual(expected);
        expect(counts.modelRows).toBe(expected.length);
      });

      test("a filter cannot leave its brackets", async () => {
        const filter = { sql: "true) or (true" };
        await expect(
          place.warehouse.columns({ from: { sql: "select 1 as id" }, key: ["id"], filter }),
        ).rejects.toMatchObject({
          code: "not_one_statement",
        });
      });
    });

    describe("plan", () => {
      test("numbers removed rows first, then key faults, changed and added, each by row key", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, 'b')", "(30, 'c')", "(4, 'd')", "(10, 'e')"));
        const next = rows("(2, 'B')", "(4, 'd')", "(10, 'E')", "(5, 'f')", "(6, 'g')", "(6, 'h')", "(null, 'n')");
        const { counts, changes } = await sync.plan(next);
        const nullKey = changes.find(({ kind }) => kind === "null_key")?.rowKey;
        expect(kindsOf(changes)).toEqual([
          "removed 1",
          "removed 30",
          `null_key ${nullKey}`,
          "duplicate_key 6",
          "duplicate_key 6",
          "changed 10",
          "changed 2",
          "added 5",
        ]);
        expect(changes.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        expect(changes[0]).toMatchObject({ cells: null, known: { recordHash: "hash-run-1" } });
        expect(changes[7]).toMatchObject({ cells: ["5", "f"], known: null });
        expect(counts).toEqual({
          added: 1,
          changed: 2,
          removed: 2,
          nullKeys: 1,
          duplicateKeys: 2,
          duplicateMatches: 0,
          unchanged: 1,
          waiting: 0,
          modelRows: 7,
          stateRows: 5,
          notFound: 0,
        });
      });

      test("an unchanged model plans nothing", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, null)"));
        expect((await sync.plan(rows("(1, 'a')", "(2, null)"))).counts).toMatchObject({ unchanged: 2, changed: 0 });
      });

      test("an empty model removes everything, and with removals off nothing", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, 'b')"));
        expect((await sync.plan(rows(), { removals: false, dryRun: true })).counts).toMatchObject({
          removed: 0,
          stateRows: 2,
          modelRows: 0,
        });
        expect(kindsOf((await sync.plan(rows())).changes)).toEqual(["removed 1", "removed 2"]);
      });

      test("values that only look the same when joined are different", async () => {
        const sync = trial();
        const pair = (a: string, b: string): string => `select 1 as id, ${a} as a, ${b} as b`;
        const seen = [
          pair("'a'", "'bc'"),
          pair("'ab'", "'c'"),
          pair("'abc'", "''"),
          pair("'abc'", "cast(null as varchar)"),
          pair("'abc'", "'NULL'"),
          pair("'abc'", "'~'"),
          pair("'a,b'", "'c'"),
          pair("'a'", "'b,c'"),
          pair(`'a"'`, `',"'`),
        ];
        for (const sql of seen) expect(await sync.sync(sql)).toHaveLength(1);
      });

      test("a new salt plans every row as changed, full scope every row of the model", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'b')");
        await sync.sync(model);
        expect((await sync.plan(model, { salt: "edited", dryRun: true })).counts.changed).toBe(2);
        expect((await sync.plan(model, { scope: "full", dryRun: true })).counts).toMatchObject({
          changed: 2,
          unchanged: 0,
        });
      });

      test("of named rows only those are planned, unchanged or not, and what is nowhere is counted", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, 'b')", "(3, 'c')", "(4, 'd')"));
        const next = rows("(1, 'a')", "(2, 'B')", "(4, 'D')", "(5, 'e')", "(6, 'f')", "(null, 'n')");
        const keys = [["1"], ["02"], ["3"], ["5"], ["9"], ["1"], ["no number"], ["9".repeat(38)], ["1 or 1=1"]];
        const { run, counts, changes } = await sync.plan(next, { scope: "keys", keys });
        expect(kindsOf(changes)).toEqual(["removed 3", "changed 1", "changed 2", "added 5"]);
        expect(changes.filter(({ known }) => known !== null).map(({ named }) => named)).toEqual([true, true, true]);
        expect(counts).toMatchObject({ modelRows: 3, stateRows: 4, unchanged: 0, notFound: 4 });
        await sync.settle(
          run,
          changes.map(({ seq }) => ({ seq, kind: "accepted" })),
        );
        expect((await sync.state()).map(({ rowKey, runId }) => `${rowKey} ${runId}`)).toEqual([
          "1 run-2",
          "2 run-2",
          "4 run-1",
          "5 run-2",
        ]);
        expect(kindsOf((await sync.plan(next, { dryRun: true })).changes).slice(1)).toEqual(["changed 4", "added 6"]);
      });

      test("rows are named besides what changed: they are planned too, also while they wait after a rejection", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'b')", "(3, 'c')");
        await sync.sync(model, {}, { "3": "rejected" });
        const named = await sync.plan(model, { keys: [["1"], ["3"], ["7"]], dryRun: true });
        expect(kindsOf(named.changes)).toEqual(["changed 1", "added 3"]);
        expect(named.counts).toMatchObject({ unchanged: 1, waiting: 0, notFound: 1, modelRows: 3 });
      });

      test("named rows leave the back-off of others alone", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'b')", "(3, 'c')");
        await sync.sync(model, {}, { "2": "rejected", "3": "rejected" });
        await sync.sync(model, { scope: "keys", keys: [["1"], ["3"]] });
        expect((await sync.plan(model, { dryRun: true })).counts).toMatchObject({ waiting: 1, added: 0, unchanged: 2 });
      });

      test.each([
        ["two columns", `select 1 as id, 'a"b' as part union all select 1, 'c'`, ["id", "part"], ["1", 'a"b']],
        ["text", `select 'it''s' as id union all select 'its'`, ["id"], ["it's"]],
        ["decimals", "select cast(1.50 as decimal(10, 2)) as id union all select 2.5", ["id"], ["1.50"]],
        [
          "dates",
          "select cast('2026-11-23' as date) as id union all select cast('2026-11-24' as date)",
          ["id"],
          ["2026-11-23"],
        ],
        ["booleans", "select true as id union all select false", ["id"], ["True"]],
      ])("a row is named by its key's own type: %s", async (_, sql, key, named) => {
        const sync = trial();
        await sync.sync(sql, { key });
        const { changes, counts } = await sync.plan(sql, { key, scope: "keys", keys: [named], dryRun: true });
        expect(changes).toMatchObject([{ kind: "changed", named: true }]);
        expect(counts).toMatchObject({ modelRows: 1, notFound: 0 });
      });

      test("a named row that left is not removed where another row, not named, has its match values now", async () => {
        const sync = trial();
        const options = { match: ["name"] };
        await sync.sync(rows("(1, 'a')", "(2, 'b')"), options);
        const next = rows("(3, 'a')", "(2, 'b')");
        const { changes } = await sync.plan(next, { ...options, scope: "keys", keys: [["1"]] });
        expect(changes).toMatchObject([{ kind: "removed", rowKey: "1", reclaimed: true }]);
      });

      test("a key that is no row's name is never part of a statement, and without keys nothing is planned", async () => {
        const sync = trial();
        const model = rows("(1, 'a')");
        await sync.sync(model);
        for (const keys of [[], [["1); drop table x; --"]], [["'"]], [["\\"]]]) {
          expect((await sync.plan(model, { scope: "keys", keys, dryRun: true })).changes).toEqual([]);
        }
      });

      test.each(widenings)("widening %s to %s changes nothing", async (narrow, wide) => {
        const sync = trial();
        await sync.sync(`select 1 as id, ${narrow} as value`);
        expect((await sync.plan(`select 1 as id, ${wide} as value`)).counts).toMatchObject({ unchanged: 1 });
      });

      test("the last digits of a float and the sign of its zero change nothing", async () => {
        const sync = trial();
        const model = (a: string, b: string): string =>
          `select 1 as id, cast(${a} as double precision) as a, cast(${b} as double precision) as b`;
        await sync.sync(model("0.3", "0"));
        expect((await sync.plan(model("'0.30000000000000004'", "'-0'"))).counts.unchanged).toBe(1);
      });

      test("of several key columns the row key is a JSON array, and one null makes it a null key", async () => {
        const sql = `select * from (values (1, 'a"b', 'x'), (1, 'é', 'y'), (2, null, 'z')) as v(a, b, c)`;
        const { changes, counts } = await trial().plan(sql, { key: ["a", "b"] });
        expect(changes.slice(1).map(({ rowKey }) => rowKey)).toEqual([`["1","a\\"b"]`, `["1","é"]`]);
        expect(counts).toMatchObject({ nullKeys: 1, added: 2 });
      });

      test("a key column that is not mapped still makes the row key", async () => {
        const sync = trial();
        const columns: Column[] = [{ name: "name", type: "text", native: "text" }];
        const { changes } = await sync.plan("select 1.50 as id, 'a' as name", { columns });
        expect(changes).toMatchObject([{ rowKey: "1.5", cells: ["a"] }]);
      });

      test("rows that share a key are all withheld, and their state is left alone", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')"));
        const twice = await sync.sync(rows("(1, 'b')", "(1, 'c')"));
        expect(kindsOf(twice)).toEqual(["duplicate_key 1", "duplicate_key 1"]);
        expect(await sync.state()).toMatchObject([{ rowKey: "1", recordHash: "hash-run-1", inDoubt: false }]);
        expect((await sync.plan(rows("(1, 'a')"))).counts).toMatchObject({ unchanged: 1, removed: 0 });
      });

      test("rows that share their match values are withheld; a null match value is shared with nobody", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'a')", "(3, null)", "(4, null)", "(5, 'b')");
        const { changes } = await sync.plan(model, { match: ["name"] });
        expect(kindsOf(changes)).toEqual(["duplicate_match 1", "duplicate_match 2", "added 3", "added 4", "added 5"]);
      });

      test("rows share their match values also when none has changed, and of two faults the key's is told", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, 'a')", "(5, 'b')"));
        const next = rows("(1, 'a')", "(2, 'a')", "(3, 'x')", "(3, 'y')", "(4, 'x')", "(null, 'b')", "(5, 'b')");
        const { counts, changes } = await sync.plan(next, { match: ["name"] });
        expect(kindsOf(changes).slice(1)).toEqual([
          "duplicate_key 3",
          "duplicate_key 3",
          "duplicate_match 1",
          "duplicate_match 2",
          "duplicate_match 4",
          "duplicate_match 5",
        ]);
        expect(counts).toMatchObject({ nullKeys: 1, unchanged: 0, removed: 0 });
      });

      test("a removed row is reclaimed when another row has its match values now", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')", "(2, 'b')"), { match: ["name"] });
        const { changes } = await sync.plan(rows("(3, 'a')"), { match: ["name"] });
        expect(changes.map(({ kind, rowKey, reclaimed }) => [kind, rowKey, reclaimed])).toEqual([
          ["removed", "1", true],
          ["removed", "2", false],
          ["added", "3", false],
        ]);
        expect(changes[0]?.known?.match).toEqual(["a"]);
      });

      test("a row whose record was reclaimed is forgotten once the other row was accepted, and not before", async () => {
        const sync = trial();
        const options = { match: ["name"] };
        await sync.sync(rows("(1, 'a')"), options);
        const lost = await sync.plan(rows("(2, 'a')"), options);
        // The new row was never sent: the record is still the old one's.
        await sync.settle(lost.run, [{ seq: 1, kind: "accepted" }]);
        expect(await sync.state()).toMatchObject([{ rowKey: "1" }]);
        expect((await sync.plan(rows(), options)).changes).toMatchObject([{ kind: "removed", reclaimed: false }]);
        await sync.planner.discard({ id: (await sync.planner.openRuns())[0]?.id ?? "", fence: 99 });
        const next = await sync.plan(rows("(2, 'a')"), options);
        await sync.settle(
          next.run,
          [1, 2].map((seq) => ({ seq, kind: "accepted", recordHash: "h" })),
        );
        expect(await sync.state()).toMatchObject([{ rowKey: "2" }]);
      });

      test("where the destination ignores case, so does what is shared and what is reclaimed", async () => {
        const sync = trial();
        const options = { key: ["name"], match: ["name"], matchIgnoresCase: true };
        const { changes } = await sync.plan(rows("(1, 'A@b.c')", "(2, 'a@b.c ')", "(3, 'd')"), options);
        expect(kindsOf(changes)).toEqual(["duplicate_match A@b.c", "duplicate_match a@b.c ", "added d"]);
        const other = trial();
        await other.sync(rows("(1, 'A@b.c')"), options);
        const moved = (await other.plan(rows("(1, 'a@B.c')"), options)).changes;
        expect(moved.map(({ kind, rowKey, reclaimed }) => [kind, rowKey, reclaimed])).toEqual([
          ["removed", "A@b.c", true],
          ["added", "a@B.c", false],
        ]);
        expect(moved[0]?.known?.match).toEqual(["a@b.c"]);
      });

      test("a dry run leaves state, runs and a held plan alone", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')"));
        const before = await sync.state();
        const held = await sync.plan(rows("(1, 'b')"));
        const dry = await sync.plan(rows("(1, 'c')", "(2, 'd')"), { dryRun: true, run: { id: "dry", fence: 0 } });
        expect(dry.counts).toMatchObject({ added: 1, changed: 1 });
        expect(await sync.state()).toEqual(before);
        expect(await sync.planner.openRuns()).toEqual([held.run]);
        const pages = sync.planner.read(held.run, { columns: held.columns, pageRows: 10 });
        expect((await all(pages)).map(({ cells }) => cells)).toEqual([["1", "b"]]);
      });

      test("reads any part of the plan", async () => {
        const sync = trial();
        const { run, columns } = await sync.plan(rows("(1, 'a')", "(2, 'b')", "(3, 'c')", "(4, 'd')"));
        const pages = await eachPage(sync.planner.read(run, { columns, pageRows: 2, afterSeq: 1, limit: 3 }));
        expect(pages.map((page) => page.map(({ seq }) => seq))).toEqual([[2, 3], [4]]);
      });

      test("a model that fails half way plans nothing and removes nothing", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')"));
        const failing = "select id, cast(name as integer) as name from (values (2, '5'), (3, 'x')) as v(id, name)";
        await expect(sync.plan(failing)).rejects.toMatchObject({ code: "sql_error" });
        expect(await sync.planner.openRuns()).toEqual([]);
        expect((await sync.plan(rows("(1, 'a')"))).counts.unchanged).toBe(1);
      });

      test("an aborted plan ends with the signal's reason", async () => {
        const sync = trial();
        const reason = new Error("stop");
        const from = {
          sql: "with recursive t(id) as (select 1 union all select id + 1 from t where id < 100000000) select max(id) as id from t",
        };
        const model = { from, key: ["id"] };
        const columns = [{ name: "id", type: "integer", native: "INTEGER" }] as const;
        const planning = sync.planner.plan(
          {
            run: { id: "r", fence: 1 },
            model,
            columns,
            match: [],
            salt: "",
            scope: "changes",
            removals: true,
            now: noon,
          },
          abortAfter(150, reason),
        );
        await expect(planning).rejects.toBe(reason);
        expect(await sync.planner.openRuns()).toEqual([]);
      });
    });

    describe("commit", () => {
      test("does with state what each outcome says", async () => {
        const sync = trial();
        const old = [
          "(1, 'a')",
          "(2, 'a')",
          "(3, 'a')",
          "(4, 'a')",
          "(11, 'a')",
          "(12, 'a')",
          "(13, 'a')",
          "(14, 'a')",
        ];
        await sync.sync(rows(...old), { match: ["id"] });
        const next = [
          "(1, 'b')",
          "(2, 'b')",
          "(3, 'b')",
          "(4, 'b')",
          "(21, 'b')",
          "(22, 'b')",
          "(23, 'b')",
          "(24, 'b')",
        ];
        const doubts = { "3": "in_doubt", "13": "in_doubt", "23": "in_doubt" } as const;
        const refused = { "2": "rejected", "12": "rejected", "22": "invalid" } as const;
        const unsent = { "4": "none", "14": "none", "24": "none" } as const;
        await sync.sync(rows(...next), { match: ["id"] }, { ...doubts, ...refused, ...unsent });
        const short = (await sync.state()).map(({ rowKey, inDoubt, recordHash, match, runId }) =>
          [rowKey, inDoubt ? "in doubt" : recordHash, match[0], runId].join(" "),
        );
        expect(short).toEqual([
          "1 hash-run-2 1 run-2",
          "12 hash-run-1 12 run-1",
          "13 in doubt 13 run-2",
          "14 hash-run-1 14 run-1",
          "2 hash-run-1 2 run-1",
          "21 hash-run-2 21 run-2",
          "23 in doubt 23 run-2",
          "3 in doubt 3 run-2",
          "4 hash-run-1 4 run-1",
        ]);
      });

      test("keeps the destination's id unless it is given a new one", async () => {
        const sync = trial();
        for (const [name, destinationId] of [
          ["a", "one"],
          ["b", undefined],
          ["c", "two"],
        ] as const) {
          const { run } = await sync.plan(rows(`(1, '${name}')`));
          await sync.settle(run, [{ seq: 1, kind: "accepted", recordHash: name, destinationId }]);
          expect(await sync.state()).toMatchObject([{ recordHash: name, destinationId: name === "c" ? "two" : "one" }]);
        }
      });

      test("a change that timed out but was applied is sent again when its value has gone back", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'old')"));
        await sync.sync(rows("(1, 'new')"), {}, { "1": "in_doubt" });
        const { changes } = await sync.plan(rows("(1, 'old')"));
        expect(changes).toMatchObject([{ kind: "changed", known: { recordHash: null } }]);
      });

      test("a removal in doubt is planned again, and as changed when the row is back", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')"));
        await sync.sync(rows(), {}, { "1": "in_doubt" });
        expect(kindsOf((await sync.plan(rows(), { dryRun: true })).changes)).toEqual(["removed 1"]);
        expect(kindsOf((await sync.plan(rows("(1, 'a')"))).changes)).toEqual(["changed 1"]);
      });

      test("counts the last outcome of a change, however often it is recorded", async () => {
        const sync = trial();
        const { run } = await sync.plan(rows("(1, 'a')", "(2, 'b')"));
        await sync.planner.record(run, [
          [{ seq: 1, kind: "in_doubt" }],
          [],
          [{ seq: 2, kind: "accepted", recordHash: "x" }],
        ]);
        await sync.planner.record(run, []);
        await sync.planner.record(run, [[{ seq: 1, kind: "rejected" }]]);
        await sync.planner.record(run, [[{ seq: 1, kind: "accepted", recordHash: "y" }]]);
        expect(await sync.settle(run, [{ seq: 2, kind: "accepted", recordHash: "x" }])).toBe("committed");
        expect((await sync.state()).map(({ recordHash }) => recordHash)).toEqual(["y", "x"]);
      });

      test("repeated, changes nothing", async () => {
        const sync = trial();
        const { run } = await sync.plan(rows("(1, 'a')"));
        expect(await sync.settle(run, [{ seq: 1, kind: "accepted", recordHash: "x" }])).toBe("committed");
        const before = await sync.state();
        expect(await sync.settle(run, [{ seq: 1, kind: "in_doubt" }])).toBe("already_done");
        expect(await sync.state()).toEqual(before);
        const next = await sync.plan(rows("(1, 'b')"));
        expect(await sync.settle(run, [{ seq: 1, kind: "in_doubt" }])).toBe("already_done");
        await sync.settle(next.run, []);
        expect(await sync.state()).toEqual(before);
      });

      test("under an old fence changes nothing; the one that took over commits", async () => {
        const sync = trial();
        const { run } = await sync.plan(rows("(1, 'a')"));
        const taken = { id: run.id, fence: run.fence + 5 };
        await sync.planner.record(run, [[{ seq: 1, kind: "rejected", code: "before" }]]);
        expect(await sync.planner.takeOver(taken)).toBe(true);
        expect(await sync.planner.takeOver(taken)).toBe(false);
        expect(await sync.planner.takeOver({ id: run.id, fence: 0 })).toBe(false);
        expect(await sync.settle(run, [{ seq: 1, kind: "in_doubt" }])).toBe("fenced");
        expect(await sync.state()).toEqual([]);
        expect(await sync.planner.openRuns()).toEqual([taken]);
        expect(await sync.settle(taken, [{ seq: 1, kind: "accepted" }])).toBe("committed");
        expect(await sync.state()).toMatchObject([{ rowKey: "1", inDoubt: false }]);
        expect(await sync.planner.openRuns()).toEqual([]);
        expect(await sync.planner.takeOver({ id: run.id, fence: 99 })).toBe(false);
        expect(await sync.planner.commit({ id: "unknown", fence: 1 }, { now: noon, backOff })).toBe("fenced");
      });

      test("an open plan is not lost to another run; discarded, it makes room", async () => {
        const sync = trial();
        const held = await sync.plan(rows("(1, 'a')"));
        await expect(sync.plan(rows("(2, 'b')"))).rejects.toMatchObject({ code: "plan_open" });
        const pages = sync.planner.read(held.run, { columns: held.columns, pageRows: 10 });
        expect(kindsOf(await all(pages))).toEqual(["added 1"]);
        await sync.planner.discard({ id: held.run.id, fence: held.run.fence - 1 });
        expect(await sync.planner.openRuns()).toEqual([held.run]);
        await sync.planner.discard(held.run);
        expect(await sync.planner.openRuns()).toEqual([]);
        expect(await sync.state()).toEqual([]);
        expect(await sync.planner.commit(held.run, { now: noon, backOff })).toBe("fenced");
        expect(kindsOf(await sync.sync(rows("(2, 'b')")))).toEqual(["added 2"]);
        await expect(all(sync.planner.read(held.run, { columns: held.columns, pageRows: 10 }))).rejects.toMatchObject({
          code: "plan_gone",
        });
      });

      test("takes many outcomes at a time", async () => {
        const sync = trial();
        const series =
          "with recursive t(id) as (select 1 union all select id + 1 from t where id < 30000) select id from t";
        await place.sql(`create table series_${syncs} as ${series}`);
        const model = { from: { table: `series_${syncs}` }, key: ["id"] };
        const columns = await place.warehouse.columns(model);
        const run = { id: "many", fence: 1 };
        const request = {
          run,
          model,
          columns,
          match: ["id"],
          salt: "",
          scope: "changes",
          removals: true,
          now: noon,
        } as const;
        expect((await sync.planner.plan(request)).added).toBe(30_000);
        await sync.settle(
          run,
          Array.from({ length: 30_000 }, (_, index) => ({ seq: index + 1, kind: "accepted", recordHash: "h" })),
        );
        expect(await sync.state()).toHaveLength(30_000);
        expect((await sync.planner.plan({ ...request, run: { id: "next", fence: 2 } })).unchanged).toBe(30_000);
      });
    });

    describe("back-off", () => {
      test("a row that was rejected as often as it may be waits until it changes, however long", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'b')");
        const years = 100 * 365 * 86_400_000;
        const twice = { ...backOff, times: 2 };
        const planAt = async (ms: number, sql = model): Promise<PlanCounts> =>
          (await sync.plan(sql, { dryRun: true, now: later(ms) })).counts;
        for (const [at, waiting] of [
          [0, 0],
          [60_001, 1],
        ] as const) {
          const { run } = await sync.plan(model, { now: later(at) });
          const rejected = { seq: 1, kind: "rejected", code: "code" } as const;
          await sync.planner.record(run, [at === 0 ? [rejected, { seq: 2, kind: "accepted" }] : [rejected]]);
          expect(await sync.planner.commit(run, { now: later(at), backOff: twice })).toBe("committed");
          expect(await planAt(at + years)).toMatchObject({ waiting, added: 1 - waiting });
        }
        expect(await planAt(years, rows("(1, 'new')", "(2, 'b')"))).toMatchObject({ waiting: 0, added: 1 });
      });

      test("a rejected row waits, doubling up to the most, and its new value does not", async () => {
        const sync = trial();
        const model = rows("(1, 'a')", "(2, 'b')");
        await sync.sync(model, {}, { "1": "rejected" });
        const at = async (ms: number, sql = model): Promise<PlanCounts> =>
          (await sync.plan(sql, { dryRun: true, now: later(ms) })).counts;
        expect(await at(59_000)).toMatchObject({ waiting: 1, added: 0, unchanged: 1 });
        expect(await at(61_000)).toMatchObject({ waiting: 0, added: 1 });
        expect(await at(1000, rows("(1, 'new')", "(2, 'b')"))).toMatchObject({ waiting: 0, added: 1 });
        await sync.sync(model, { now: later(61_000) }, { "1": "rejected" });
        expect(await at(61_000 + 119_000)).toMatchObject({ waiting: 1 });
        expect(await at(61_000 + 121_000)).toMatchObject({ waiting: 0, added: 1 });
        for (let attempt = 0; attempt < 5; attempt += 1) {
          await sync.sync(model, { scope: "full", now: later(61_000) }, { "1": "rejected" });
        }
        expect(await at(61_000 + 599_000)).toMatchObject({ waiting: 1 });
        expect(await at(61_000 + 601_000)).toMatchObject({ waiting: 0, added: 1 });
      });

      test("full scope does not wait, and what is accepted waits no more", async () => {
        const sync = trial();
        const model = rows("(1, 'a')");
        await sync.sync(model, {}, { "1": "rejected" });
        await sync.sync(model, { scope: "full" });
        expect((await sync.plan(model)).counts).toMatchObject({ waiting: 0, unchanged: 1 });
      });

      test("a run that does not reach a row leaves its attempts", async () => {
        const sync = trial();
        const model = rows("(1, 'a')");
        await sync.sync(model, {}, { "1": "rejected" });
        await sync.sync(model, { now: later(61_000) }, { "1": "none" });
        await sync.sync(model, { now: later(61_000) }, { "1": "rejected" });
        expect((await sync.plan(model, { now: later(61_000 + 119_000) })).counts).toMatchObject({ waiting: 1 });
      });

      test("a removal that was rejected waits too, and stays in state", async () => {
        const sync = trial();
        await sync.sync(rows("(1, 'a')"));
        await sync.sync(rows(), {}, { "1": "rejected" });
        expect((await sync.plan(rows())).counts).toMatchObject({ waiting: 1, removed: 0, stateRows: 1 });
      });

      test("rows with bad keys are reported once, then wait; equal copies too", async () => {
        const sync = trial();
        const model = rows("(null, 'x')", "(1, 'a')", "(1, 'a')", "(1, 'b')");
        const { run, changes } = await sync.plan(model);
        await sync.settle(
          run,
          changes.map(({ seq }) => ({ seq, kind: "invalid", code: "key" })),
        );
        expect((await sync.plan(model, { dryRun: true })).counts).toMatchObject({
          waiting: 4,
          nullKeys: 0,
          duplicateKeys: 0,
        });
        const edited = rows("(null, 'x')", "(1, 'a')", "(1, 'a')", "(1, 'c')");
        expect((await sync.plan(edited, { dryRun: true })).counts).toMatchObject({ waiting: 3, duplicateKeys: 1 });
        expect(await sync.state()).toEqual([]);
      });

      test("a bad key never touches state, whatever is recorded for it", async () => {
        const sync = trial();
        await sync.sync(rows("(null, 'x')", "(1, 'a')", "(1, 'b')"));
        expect(await sync.state()).toEqual([]);
      });
    });

    describe("hostile names and values", () => {
      const columns = [`a"b`, `"; drop table x; --`, "ünïcödé 🦆", "__proto__", "select", "a.b", "a\nb"];
      test.each(columns.filter((column) => !impossibleColumns.includes(column)))(
        "a column named %j",
        async (column) => {
          const quoted = `"${column.replaceAll('"', '""')}"`;
          const sync = trial();
          const sql = `select 'k' as ${quoted}, 'v' as other`;
          const named = columnNamed(column);
          const changes = await sync.sync(sql, { key: [named], match: [named] });
          expect(changes).toMatchObject([{ rowKey: "k", cells: ["k", "v"] }]);
          expect(await sync.state()).toMatchObject([{ rowKey: "k", match: ["k"] }]);
        },
      );

      test.each([
        `'; drop table x; --`,
        "%",
        "_",
        "\\",
        "",
        " ",
        `["a","b"]`,
        "null key 0",
        "é",
        "e\u0301",
        "\u0001",
        "x".repeat(1_000_000),
      ])("a key with the text %j", async (key) => {
        const sync = trial();
        const sql = `select ${literal(key)} as id, 'v' as name`;
        expect((await sync.sync(sql))[0]?.rowKey).toBe(key);
        expect((await sync.plan(sql)).counts).toMatchObject({ unchanged: 1, added: 0 });
        expect((await sync.state())[0]?.rowKey).toBe(key);
      });

      test("syncs with long or similar names keep to themselves", async () => {
        const names = [`s${"x".repeat(80)}a`, `s${"x".repeat(80)}b`, "a-b", "a_b", `a"b`];
        for (const [index, sync] of names.entries()) await trial(sync).sync(rows(`(${index}, 'a')`));
        for (const [index, sync] of names.entries()) {
          expect((await trial(sync).state()).map(({ rowKey }) => rowKey)).toEqual([String(index)]);
        }
      });

      test("ids of runs and texts of outcomes are only data", async () => {
        const sync = trial();
        const run = { id: `r'; drop table x; --"`, fence: 1 };
        await sync.plan(rows("(1, 'a')"), { run, salt: `'"\\` });
        const hash = `h'"\\ é`;
        await sync.settle(run, [{ seq: 1, kind: "accepted", recordHash: hash, destinationId: hash }]);
        expect(await sync.state()).toEqual([
          { rowKey: "1", inDoubt: false, recordHash: hash, destinationId: hash, match: [], runId: run.id },
        ]);
      });

      test("a fence that is not a number is refused", async () => {
        const run = JSON.parse(`{ "id": "r", "fence": "1; drop table x" }`) as RunRef;
        await expect(trial().planner.takeOver(run)).rejects.toMatchObject({ code: "fence_invalid" });
      });
    });

    test("a dropped sync starts anew", async () => {
      const sync = trial();
      await sync.sync(rows("(1, 'a')"));
      await sync.plan(rows("(1, 'b')"));
      await sync.planner.drop();
      expect(await sync.planner.openRuns()).toEqual([]);
      expect(await sync.state()).toEqual([]);
      expect(kindsOf(await sync.sync(rows("(1, 'a')")))).toEqual(["added 1"]);
    });

    if (keepsRecords) {
      test("a column is looked up in what another sync knows, and a row whose find changes is planned again", async () => {
        const companies = trial();
        const contacts = trial();
        const state = `sync-${syncs - 1}`;
        // Columns of the state's own names are the model's.
        const sql =
          "select * from (values (1, 10, 'x'), (2, 20, 'y'), (3, null, 'z')) as v(id, row_key, destination_id)";
        const model = { from: { sql }, key: ["id"] };
        const own = await place.warehouse.columns(model);
        const by = own.find(({ name: column }) => column.toLowerCase() === "row_key");
        if (!by) throw new Error("the model has its columns");
        const lookup: Column = { name: "looked up", type: "text", native: "lookup", lookup: { state, by } };
        const columns = [...own, lookup];
        const found = async (): Promise<unknown> => {
          const rows = await place.warehouse.sample(model, columns, 10);
          return Object.fromEntries(rows.map((cells) => [cells[0], cells[3]]));
        };
        expect(await found()).toEqual({ 1: null, 2: null, 3: null });
        expect((await contacts.sync(sql, { columns })).map(({ cells }) => cells?.[3])).toEqual([null, null, null]);

        const { run, changes } = await companies.plan(rows("(10, 'a')", "(20, 'b')"));
        const outcomes = changes.map(({ seq, rowKey }): OutcomeRow => ({
          seq,
          kind: "accepted",
          destinationId: `id-${rowKey}`,
        }));
        await companies.settle(run, outcomes.slice(0, 1));
        expect(await found()).toEqual({ 1: "id-10", 2: null, 3: null });
        const again = await contacts.sync(sql, { columns });
        expect(again.map(({ kind, rowKey, cells }) => [kind, rowKey, cells])).toEqual([
          ["changed", "1", ["1", "10", "x", "id-10"]],
        ]);
        expect(await contacts.sync(sql, { columns })).toEqual([]);
      });

      keptRecords(
        () => place,
        () => `keeping-${(syncs += 1)}`,
      );
    }

    planningHistories(
      () => place,
      () => `history-${(syncs += 1)}`,
    );
  });
}

function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}
