/** What is done with the records of rows that left. */
import type { Outcome } from "../../src/destination.ts";
import { accepted, isFailure, isOfTheTeam, rejected, settle, type ZendeskRecord } from "./answers.ts";
import { runJob } from "./jobs.ts";
import { byIds, find, type Found } from "./lookup.ts";
import type { Sought } from "./requests.ts";
import { type Writing, writeById } from "./writes.ts";

/** Suspends, deletes or clears. A record that is gone already needs nothing; one of the team is left alone. */
export async function removeRecords(changes: readonly Sought[], writing: Writing): Promise<readonly Outcome[]> {
  const found = await find(changes, writing);
  const gone = changes.filter((sought) => !found.has(sought)).map((sought) => accepted(sought));
  if (writing.operation === "clear") return [...gone, ...(await writeById(found, writing))];
  const team = new Map([...found].filter(([, record]) => isOfTheTeam(record)));
  const customers = new Map([...found].filter(([sought]) => !team.has(sought)));
  const removed = writing.operation === "archive" ? suspend(customers, writing) : destroy(customers, writing);
  return [...gone, ...[...team].map(refused), ...(await removed)];
}

function refused([{ change: row }, { id, role }]: readonly [Sought, ZendeskRecord]): Outcome {
  const message = `User ${id} is of the team (${role}), and is neither suspended nor deleted by a sync.`;
  return rejected(row, { code: "team_member", message });
}

function suspend(found: Found, writing: Writing): Promise<readonly Outcome[]> {
  const suspended = [...found].map(([sought, record]) => [{ ...sought, item: { suspended: true } }, record] as const);
  return writeById(new Map(suspended), writing);
}

/** What is still there afterwards was not deleted, whatever the job says. */
async function destroy(found: Found, writing: Writing): Promise<readonly Outcome[]> {
  if (found.size === 0) return [];
  const ids = [...found.values()].map(({ id }) => id);
  const job = await runJob({ method: "DELETE", path: `/${writing.object}/destroy_many?ids=${ids.join(",")}` }, writing);
  const left = await byIds(ids, writing);
  const deleted = [...found].filter(([, { id }]) => !left.has(id)).map(([sought]) => accepted(sought));
  const present = [...found].filter(([, { id }]) => left.has(id));
  const told = settle(
    present.map(([sought]) => sought),
    { ...job, rows: job.rows.filter(isFailure) },
    new Map(present.map(([sought, { id }]) => [id, sought])),
  );
  return [...deleted, ...told];
}
