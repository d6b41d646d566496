/** What a commit makes of state: the files that come after it. */
import type { BackOff, RunRef } from "../../warehouse.ts";
import { commitStatements } from "../commit-sql.ts";
import { tableColumns } from "../planner-schema.ts";
import { planGone } from "../runs.ts";
import { localDialect } from "./compare.ts";
import type { FilesOfSync } from "./files.ts";
import type { Ledger } from "./ledger.ts";
import type { Scratch } from "./scratch.ts";

export interface SettleTerms {
  readonly run: RunRef;
  readonly now: Date;
  readonly backOff: BackOff;
}

/**
 * Writes state and refused rows as they are after the open run of a ledger. Only the rows of state that the plan speaks
 * of are changed, by the statements of every other planner; the others are copied past them.
 */
export async function settleFiles(
  { run, now, backOff }: SettleTerms,
  ledger: Ledger,
  files: FilesOfSync,
  scratch: Scratch,
): Promise<{ state: string | null; failed: string | null }> {
  const { session } = scratch;
  if (ledger.plan === null) throw planGone(run.id);
  const outcomes = await takeOutcomes(ledger.plan.outcomes, files, scratch);
  if (outcomes === 0 && ledger.failed === null) return { state: ledger.state, failed: null };
  const plan = await files.table(ledger.plan.file, scratch.folder);
  const before = await files.tables(ledger, scratch);
  await session.execute(`create table state as select * from ${before.state} where row_key in (select row_key from ${plan})
or match_cells in (select known_match from ${plan} where reclaimed = 1)`);
  await session.execute("create table touched as select row_key from state");
  await session.execute(`create table failed as select * from ${before.failed}`);
  const tables = { plan, state: "state", failed: "failed", outcomes: "outcomes" };
  for (const statement of commitStatements({ tables, run, now, backOff, dialect: localDialect })) {
    await session.execute(statement);
  }
  const next = `select s.* from ${before.state} as s anti join touched as t on t.row_key = s.row_key
union all select * from state order by row_key`;
  const [[refused = "0"] = []] = await session.query("select count(*) from failed");
  return {
    state: outcomes === 0 ? ledger.state : await files.save("state", next, scratch),
    failed: Number(refused) === 0 ? null : await files.save("failed", "select * from failed", scratch),
  };
}

/** The run's outcomes as a table; returns how many there are. */
async function takeOutcomes(
  recorded: readonly string[],
  files: FilesOfSync,
  { session, folder }: Scratch,
): Promise<number> {
  await session.execute(`create table outcomes (${tableColumns(localDialect).outcomes})`);
  for (const file of recorded) {
    await session.execute(`insert into outcomes select * from ${await files.table(file, folder)}`);
  }
  const [[count = "0"] = []] = await session.query("select count(*) from outcomes");
  return Number(count);
}
