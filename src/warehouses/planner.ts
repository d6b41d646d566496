/** The protocol of plan and commit for every warehouse that speaks SQL. See `Planner` for its promises. */
import type {
  Column,
  CommitOptions,
  ModelQuery,
  OutcomePages,
  PlanCounts,
  PlannedChange,
  Planner,
  PlanRequest,
  ReadOptions,
  RunRef,
  StateRow,
} from "../warehouse.ts";
import { commitStatements } from "./commit-sql.ts";
import type { Database, Owner, QueryTag, Session } from "./dialect.ts";
import { type PlannerTables, plannerTables } from "./names.ts";
import { changeText, countPlan, parseChanges } from "./plan-rows.ts";
import { makeLookedUp } from "./model-sql.ts";
import { planStatement } from "./plan-sql.ts";
import { makePlannerTables } from "./planner-schema.ts";
import { type PlanMaker, SqlRecords } from "./records.ts";
import { keepStaged, notePast } from "./records-sql.ts";
import {
  fenceOf,
  keepRunsMs,
  outcomeColumns,
  outcomeRows,
  parseState,
  planGone,
  planOpen,
  stateQuery,
} from "./runs.ts";

export interface SqlPlannerOptions {
  readonly database: Database;
  /** The planner schema, as its parts. */
  readonly schema: readonly string[];
  readonly sync: string;
  /** The columns of a whole model. */
  readonly describe: (model: ModelQuery, signal?: AbortSignal) => Promise<readonly Column[]>;
}

/** Plan and state of one sync as SQL. */
export class SqlPlanner implements Planner {
  readonly #database: Database;
  readonly #schema: readonly string[];
  readonly #tables: PlannerTables;
  readonly #name: string;
  /** The name as SQL. */
  readonly #sync: string;
  readonly #describe: SqlPlannerOptions["describe"];
  readonly records: SqlRecords;
  readonly shared: boolean;
  #ready: Promise<void> | undefined;

  constructor({ database, schema, sync, describe }: SqlPlannerOptions) {
    this.#database = database;
    this.#schema = schema;
    this.#tables = plannerTables(schema, sync);
    this.#name = sync;
    this.#sync = database.dialect.literal(sync);
    this.#describe = describe;
    this.shared = database.shared;
    const makePlan: PlanMaker = (...asked) => this.#makePlan(...asked);
    this.records = new SqlRecords({ database, schema, tables: this.#tables, makePlan });
  }

  async plan(request: PlanRequest, signal?: AbortSignal): Promise<PlanCounts> {
    const columns = await this.#describe(request.model, signal);
    await makeLookedUp(request.columns, this.#schema, this.#database);
    const query = planStatement(this.#tables, request, columns, this.#database.dialect, this.#schema);
    return await this.#makePlan(request, query, countPlan, signal);
  }

  async #makePlan<Counts>(
    request: Pick<PlanRequest, "run" | "now" | "dryRun">,
    query: string,
    count: (session: Session, plan: string) => Promise<Counts>,
    signal?: AbortSignal,
  ): Promise<Counts> {
    await this.#prepare();
    const { run, dryRun = false } = request;
    const target = dryRun ? this.#tables.preview : this.#tables.plan;
    return await this.#database.transaction(
      async (session) => {
        if (!dryRun) await this.#requireNoOtherRun(session, run);
        for (const statement of this.#database.dialect.freeze(target, query)) await session.execute(statement);
        if (!dryRun) await this.#open(session, request);
        return await count(session, target);
      },
      { signal, tag: this.#tag(run, "plan"), ...(dryRun ? {} : { owner: this.#owner(run) }) },
    );
  }

  async *read(
    run: RunRef,
    { columns, pageRows, afterSeq = 0, limit = Infinity, dryRun = false }: ReadOptions,
    signal?: AbortSignal,
  ): AsyncIterable<readonly PlannedChange[]> {
    const table = dryRun ? this.#tables.preview : this.#tables.plan;
    const release = this.#database.hold();
    try {
      const until = Math.min(await this.#lastSeq(table, run), afterSeq + limit);
      const query = {
        plan: table,
        change: changeText(this.#database.dialect),
        after: afterSeq,
        until,
        pageRows,
        tag: this.#tag(run, "read"),
      };
      for await (const page of this.#database.pages(query, signal)) yield parseChanges(page, columns);
    } finally {
      release();
    }
  }

  async record(run: RunRef, outcomes: OutcomePages): Promise<void> {
    await this.#prepare();
    await this.#database.transaction(
      async (session) => {
        // Of a run that is closed or was taken over nothing more is to be known. The commit says which of the two it is.
        const open = await session.query(
          `select 1 from ${this.#tables.runs} where ${this.#isOpen(run)} and fence = ${fenceOf(run)}`,
        );
        if (open.length === 0) return;
        const part = await scalar(session, `select coalesce(max(part), 0) + 1 from ${this.#tables.outcomes}`);
        await session.append(this.#tables.outcomes, outcomeColumns, outcomeRows(run, part, outcomes));
      },
      { tag: this.#tag(run, "record"), owner: this.#owner(run) },
    );
  }

  async commit(
    run: RunRef,
    { keepRecords = false, ...options }: CommitOptions,
  ): Promise<"committed" | "already_done" | "fenced"> {
    await this.#prepare();
    const { runs } = this.#tables;
    const terms = { tables: this.#tables, run, dialect: this.#database.dialect, ...options };
    const statements = commitStatements(terms);
    return await this.#database.transaction(
      async (session) => {
        const flip = `update ${runs} set status = 'committed' where ${this.#isOpen(run)} and fence = ${fenceOf(run)}`;
        if ((await session.execute(flip)) === 0) {
          const done = await session.query(`select 1 from ${runs} where ${this.#isRun(run)} and status = 'committed'`);
          return done.length > 0 ? "already_done" : "fenced";
        }
        await this.#requirePlan(session, this.#tables.plan, run);
        const all = keepRecords ? [...notePast(terms), ...statements, ...keepStaged(terms)] : statements;
        for (const statement of all) await session.execute(statement);
        await this.#clear(session);
        return "committed";
      },
      { tag: this.#tag(run, "commit"), owner: this.#owner(run) },
    );
  }

  async openRuns(): Promise<readonly RunRef[]> {
    await this.#prepare();
    const open = `select run_id, fence from ${this.#tables.runs}
      where sync = ${this.#sync} and status = 'open' order by planned_at, run_id`;
    const rows = await this.#database.session((session) => session.query(open));
    return rows.map(([id, fence]) => ({ id: id ?? "", fence: Number(fence) }));
  }

  async takeOver(run: RunRef): Promise<boolean> {
    await this.#prepare();
    const raise = `update ${this.#tables.runs} set fence = ${fenceOf(run)} where ${this.#isOpen(run)} and fence < ${fenceOf(run)}`;
    const options = { tag: this.#tag(run, "take over"), owner: this.#owner(run) };
    return (await this.#database.transaction((session) => session.execute(raise), options)) > 0;
  }

  async discard(run: RunRef): Promise<void> {
    await this.#prepare();
    const close = `update ${this.#tables.runs} set status = 'discarded' where ${this.#isOpen(run)} and fence <= ${fenceOf(run)}`;
    await this.#database.transaction(
      async (session) => {
        if ((await session.execute(close)) > 0) await this.#clear(session);
      },
      { tag: this.#tag(run, "discard"), owner: this.#owner(run) },
    );
  }

  async *state(): AsyncIterable<readonly StateRow[]> {
    await this.#prepare();
    const release = this.#database.hold();
    try {
      for await (const rows of this.#database.stream(stateQuery(this.#tables.state))) {
        yield rows.map(parseState);
      }
    } finally {
      release();
    }
  }

  async drop(): Promise<void> {
    await this.#prepare();
    const { runs, ...own } = this.#tables;
    await this.#database.transaction(async (session) => {
      for (const table of Object.values(own)) await session.execute(`drop table if exists ${table}`);
      await session.execute(`delete from ${runs} where sync = ${this.#sync}`);
    });
    this.#ready = undefined;
    this.records.forget();
  }

  #prepare(): Promise<void> {
    const { kept: _kept, past: _past, staged: _staged, ...always } = this.#tables;
    this.#ready ??= makePlannerTables(this.#database, this.#schema, always).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  #tag(run: RunRef, step: string): QueryTag {
    return { sync: this.#name, run: run.id, step };
  }

  #owner({ fence }: RunRef): Owner {
    return { name: this.#tables.plan, fence };
  }

  #isRun(run: RunRef): string {
    return `sync = ${this.#sync} and run_id = ${this.#database.dialect.literal(run.id)}`;
  }

  #isOpen(run: RunRef): string {
    return `${this.#isRun(run)} and status = 'open'`;
  }

  async #requireNoOtherRun(session: Session, run: RunRef): Promise<void> {
    const others = `select run_id from ${this.#tables.runs} where sync = ${this.#sync} and status = 'open'
      and (run_id <> ${this.#database.dialect.literal(run.id)} or fence > ${fenceOf(run)})`;
    const [other] = await session.query(others);
    if (other === undefined) return;
    throw planOpen(other[0] ?? "");
  }

  /** Registers the run as open: from now on recovery finds it. Looks again whether another run came first. */
  async #open(session: Session, { run, now }: Pick<PlanRequest, "run" | "now">): Promise<void> {
    const { runs } = this.#tables;
    await session.execute(`delete from ${this.#tables.outcomes}`);
    await session.execute(`delete from ${runs} where ${this.#isRun(run)} and fence <= ${fenceOf(run)}`);
    await session.execute(`delete from ${runs} where sync = ${this.#sync} and status <> 'open'
      and planned_at < ${now.getTime() - keepRunsMs}`);
    await session.execute(`insert into ${runs} (sync, run_id, fence, status, planned_at)
      values (${this.#sync}, ${this.#database.dialect.literal(run.id)}, ${fenceOf(run)}, 'open', ${now.getTime()})`);
    await this.#requireNoOtherRun(session, run);
  }

  async #requirePlan(session: Session, table: string, run: RunRef): Promise<void> {
    const [plan] = await session.query(`select row_key from ${table} where seq = 0`);
    if (plan?.[0] !== run.id) throw planGone(run.id);
  }

  async #lastSeq(table: string, run: RunRef): Promise<number> {
    return await this.#database.session(async (session) => {
      await this.#requirePlan(session, table, run);
      return await scalar(session, `select max(seq) from ${table} where waiting = 0`);
    });
  }

  /** Empties a settled plan, in the transaction that settles it: a plan made after it is never touched. */
  async #clear(session: Session): Promise<void> {
    await session.execute(`delete from ${this.#tables.plan}`);
    await session.execute(`delete from ${this.#tables.outcomes}`);
  }
}

async function scalar(session: Session, sql: string): Promise<number> {
  const [row] = await session.query(sql);
  return Number(row?.[0] ?? 0);
}
