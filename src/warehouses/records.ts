/** The records that a sync keeps, in tables of their own, which are made when a sync first keeps any. */
import type { KeptRecords, PlanCounts, RevertCounts, RevertRequest, RunRef, StagedRecord } from "../warehouse.ts";
import type { AppendColumn, Database, Row, Session } from "./dialect.ts";
import type { PlannerTables } from "./names.ts";
import { countPlan } from "./plan-rows.ts";
import { makePlannerTables } from "./planner-schema.ts";
import { obstaclesStatement, revertStatement } from "./records-sql.ts";
import { fenceOf } from "./runs.ts";

/** Makes a plan of what a query says now, and counts it in the same transaction. */
export type PlanMaker = <Counts>(
  request: Pick<RevertRequest, "run" | "now" | "dryRun">,
  query: string,
  count: (session: Session, plan: string) => Promise<Counts>,
  signal?: AbortSignal,
) => Promise<Counts>;

export interface SqlRecordsOptions {
  readonly database: Database;
  readonly schema: readonly string[];
  readonly tables: PlannerTables;
  readonly makePlan: PlanMaker;
}

const stagedColumns: readonly AppendColumn[] = [
  { name: "run_id", type: "text" },
  { name: "seq", type: "bigint" },
  { name: "record_hash", type: "text" },
  { name: "record", type: "text" },
];

/** So many row keys stand in one statement. */
const keysAtATime = 500;

/** The kept records of one sync as SQL. */
export class SqlRecords implements KeptRecords {
  readonly #options: SqlRecordsOptions;
  #ready: Promise<void> | undefined;

  constructor(options: SqlRecordsOptions) {
    this.#options = options;
  }

  async stage(run: RunRef, pages: AsyncIterable<readonly StagedRecord[]>): Promise<void> {
    await this.#prepare();
    const { database, tables } = this.#options;
    await database.transaction(
      async (session) => {
        await session.execute(`delete from ${tables.staged}`);
        // Another worker that has taken over stages for itself.
        const open = `select 1 from ${tables.runs} where run_id = ${database.dialect.literal(run.id)} and status = 'open'
        and fence = ${fenceOf(run)}`;
        if ((await session.query(open)).length > 0)
          await session.append(tables.staged, stagedColumns, rowsOf(run, pages));
      },
      { owner: { name: tables.plan, fence: run.fence } },
    );
  }

  async find(rowKeys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    await this.#prepare();
    const { database, tables } = this.#options;
    const found = new Map<string, string>();
    for (let at = 0; at < rowKeys.length; at += keysAtATime) {
      const keys = rowKeys.slice(at, at + keysAtATime).map((key) => database.dialect.literal(key));
      const query = `select k.row_key, k.record from ${tables.kept} as k
        join ${tables.state} as s on s.row_key = k.row_key and s.record_hash = k.record_hash
        where k.row_key in (${keys.join(", ")})`;
      const rows = await database.session((session) => session.query(query));
      for (const [rowKey, record] of rows) if (rowKey != null && record != null) found.set(rowKey, record);
    }
    return found;
  }

  async planRevert(request: RevertRequest, signal?: AbortSignal): Promise<RevertCounts> {
    await this.#prepare();
    const { database, tables, makePlan } = this.#options;
    const { dialect } = database;
    const count = async (session: Session, plan: string): Promise<RevertCounts> =>
      withObstacles(
        await countPlan(session, plan),
        await session.query(obstaclesStatement(tables, request.reverts, dialect)),
      );
    return await makePlan(request, revertStatement(tables, request, dialect), count, signal);
  }

  /** Its tables are gone. */
  forget(): void {
    this.#ready = undefined;
  }

  #prepare(): Promise<void> {
    const { database, schema, tables } = this.#options;
    this.#ready ??= makePlannerTables(database, schema, tables).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }
}

async function* rowsOf(run: RunRef, pages: AsyncIterable<readonly StagedRecord[]>): AsyncIterable<readonly Row[]> {
  for await (const page of pages)
    yield page.map(({ seq, recordHash, record }) => [run.id, String(seq), recordHash, record]);
}

function withObstacles(plan: PlanCounts, obstacles: readonly Row[]): RevertCounts {
  const count = (name: string): number => Number(obstacles.find(([obstacle]) => obstacle === name)?.[1] ?? 0);
  return { plan, first: count("first"), overtaken: count("overtaken"), unknown: count("unknown") };
}
