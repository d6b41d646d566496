/**
 * Plan and state of one sync outside its source, which is only read. See `Planner` for its promises.
 *
 * State is a Parquet file sorted by row key, another for each commit. Files never change; what counts is what the
 * ledger names, and the ledger is replaced as a whole. A crash leaves files that nobody names, and they are removed later.
 */
import { join } from "node:path";
import type {
  BackOff,
  Column,
  ModelQuery,
  OutcomePages,
  PlanCounts,
  PlannedChange,
  Planner,
  PlanRequest,
  ReadOptions,
  RunRef,
  StateRow,
} from "../../warehouse.ts";
import { WarehouseError } from "../../errors.ts";
import { noLookups } from "../model-sql.ts";
import type { Database } from "../dialect.ts";
import { changeText, countPlan, parseChanges } from "../plan-rows.ts";
import { fenceOf, outcomeColumns, outcomeRows, parseState, stateQuery } from "../runs.ts";
import { comparedQuery, localDialect } from "./compare.ts";
import { settleFiles } from "./settle.ts";
import {
  closed,
  filesOf,
  type Ledger,
  LedgerBook,
  opened,
  openRun,
  planOf,
  requireNoOtherRun,
  takenOver,
} from "./ledger.ts";
import { inScratch, openScratch, parquet, type Scratch, type ScratchOptions } from "./scratch.ts";
import type { StateStore } from "./store.ts";
import { FilesOfSync } from "./files.ts";

export interface LocalPlannerOptions {
  /** The source. It is only read. */
  readonly source: Database;
  readonly store: StateStore;
  readonly scratch: ScratchOptions;
  readonly sync: string;
  /** The columns of a whole model. */
  readonly describe: (model: ModelQuery, signal?: AbortSignal) => Promise<readonly Column[]>;
}

export class LocalPlanner implements Planner {
  /** Whoever reads from somewhere in a plan needs the whole file on its disk. */
  readonly shared = false;
  readonly #options: LocalPlannerOptions;
  readonly #book: LedgerBook;
  readonly #files: FilesOfSync;

  constructor(options: LocalPlannerOptions) {
    this.#options = options;
    this.#book = new LedgerBook(options.store, options.sync);
    this.#files = new FilesOfSync(options.store, options.sync);
  }

  async plan(request: PlanRequest, signal?: AbortSignal): Promise<PlanCounts> {
    const { run, salt, scope, now, dryRun = false } = request;
    fenceOf(run);
    if (request.columns.some(({ lookup }) => lookup !== undefined)) throw noLookups();
    const before = await this.#book.read();
    if (!dryRun) requireNoOtherRun(before, run);
    const columns = await this.#options.describe(request.model, signal);
    return await this.#inScratch(async (scratch) => {
      const { file, counts, last } = await this.#planFile(request, columns, before, scratch, signal);
      signal?.throwIfAborted();
      const planned = { run: run.id, file, last };
      await this.#book.change((ledger) => {
        if (dryRun) return { ...ledger, preview: planned };
        requireNoOtherRun(ledger, run);
        requireSameState(before, ledger);
        // Of a plan of named rows nothing follows for the others.
        if (scope === "keys") return opened(ledger, run, { ...planned, salt: ledger.salt }, now);
        return { ...opened(ledger, run, { ...planned, salt }, now), modelRows: counts.modelRows };
      });
      await this.#tidy();
      return counts;
    }, signal);
  }

  async *read(
    run: RunRef,
    { columns, pageRows, afterSeq = 0, limit = Infinity, dryRun = false }: ReadOptions,
    signal?: AbortSignal,
  ): AsyncIterable<readonly PlannedChange[]> {
    const { file, last } = planOf(await this.#book.read(), run, dryRun);
    await using scratch = await openScratch(this.#options.scratch);
    const plan = await this.#files.table(file, scratch.folder);
    const until = Math.min(last, afterSeq + limit);
    const query = { plan, change: changeText(localDialect), after: afterSeq, until, pageRows };
    for await (const page of scratch.database.pages(query, signal)) yield parseChanges(page, columns);
  }

  async record(run: RunRef, outcomes: OutcomePages): Promise<void> {
    const before = await this.#book.read();
    if (!isHeld(before, run)) return;
    await this.#inScratch(async (scratch) => {
      const part = (before.plan?.outcomes.length ?? 0) + 1;
      const definitions = outcomeColumns.map(({ name, type }) => `${name} ${type}`);
      await scratch.session.execute(`create table outcomes (${definitions.join(", ")})`);
      await scratch.session.append("outcomes", outcomeColumns, outcomeRows(run, part, outcomes));
      const file = await this.#files.save("outcomes", "select * from outcomes", scratch);
      await this.#book.change((ledger) => {
        const { plan } = ledger;
        return isHeld(ledger, run) && plan
          ? { ...ledger, plan: { ...plan, outcomes: [...plan.outcomes, file] } }
          : null;
      });
    });
  }

  async commit(
    run: RunRef,
    options: { now: Date; backOff: BackOff },
  ): Promise<"committed" | "already_done" | "fenced"> {
    fenceOf(run);
    const before = await this.#book.read();
    if (isHeld(before, run)) {
      const settled = await this.#inScratch((scratch) =>
        settleFiles({ run, ...options }, before, this.#files, scratch),
      );
      const committed = await this.#book.change((ledger) =>
        isHeld(ledger, run)
          ? { ...closed(ledger, run, "committed"), ...settled, salt: before.plan?.salt ?? null }
          : null,
      );
      await this.#tidy();
      if (committed !== null) return "committed";
    }
    const { runs } = await this.#book.read();
    return runs.some(({ id, status }) => id === run.id && status === "committed") ? "already_done" : "fenced";
  }

  async openRuns(): Promise<readonly RunRef[]> {
    const { runs } = await this.#book.read();
    return runs.filter(({ status }) => status === "open").map(({ id, fence }) => ({ id, fence }));
  }

  async takeOver(run: RunRef): Promise<boolean> {
    fenceOf(run);
    return (await this.#book.change((ledger) => takenOver(ledger, run))) !== null;
  }

  async discard(run: RunRef): Promise<void> {
    fenceOf(run);
    await this.#book.change((ledger) => {
      const open = openRun(ledger, run.id);
      return open !== undefined && open.fence <= run.fence ? closed(ledger, run, "discarded") : null;
    });
  }

  async *state(): AsyncIterable<readonly StateRow[]> {
    const { state } = await this.#book.read();
    if (state === null) return;
    await using scratch = await openScratch(this.#options.scratch);
    const table = await this.#files.table(state, scratch.folder);
    for await (const rows of scratch.database.stream(stateQuery(table))) yield rows.map(parseState);
  }

  async drop(): Promise<void> {
    await this.#book.forget();
    await this.#files.removeAllBut(new Set(), 0);
  }

  async #planFile(
    request: PlanRequest,
    columns: readonly Column[],
    ledger: Ledger,
    scratch: Scratch,
    signal: AbortSignal | undefined,
  ): Promise<{ file: string; counts: PlanCounts; last: number }> {
    const { source, sync } = this.#options;
    const tables = await this.#files.tables(ledger, scratch);
    const fewDiffer = ledger.state !== null && ledger.salt === request.salt;
    const lastRows = ledger.modelRows;
    const comparison = { request, columns, source, sync, tables, fewDiffer, lastRows, signal };
    const query = await comparedQuery(comparison, scratch);
    const path = join(scratch.folder, "plan.parquet");
    await this.#files.write(query, path, scratch, { rowGroupRows: planRowGroup });
    const counts = await countPlan(scratch.session, parquet(path));
    const [[last = "0"] = []] = await scratch.session.query(`select max(seq) from ${parquet(path)} where waiting = 0`);
    return { file: await this.#files.put("plan", path), counts, last: Number(last) };
  }

  #inScratch<T>(work: (scratch: Scratch) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return inScratch(this.#options.scratch, work, signal);
  }

  /** Removes what the ledger does not name any more, once nobody can still be reading it or about to name it. */
  async #tidy(): Promise<void> {
    await this.#files.removeAllBut(filesOf(await this.#book.read()), unnamedMs);
  }
}

/** A page of a plan is found by the bounds of its row group. */
const planRowGroup = 20_480;

const unnamedMs = 3_600_000;

/** Whether a run is open, and nobody has taken it over. */
function isHeld(ledger: Ledger, run: RunRef): boolean {
  return openRun(ledger, run.id)?.fence === run.fence;
}

/** Another run was planned and committed meanwhile. */
function requireSameState(before: Ledger, now: Ledger): void {
  if (before.state === now.state && before.failed === now.failed) return;
  throw new WarehouseError("plan_outdated", "Another run changed state while this one was planned.", {
    hint: "Start a new run.",
  });
}
