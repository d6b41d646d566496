/** The statements that move a run's outcomes into state, all in one transaction. */
import type { BackOff, RunRef } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";
import type { PlannerTables } from "./names.ts";

export interface CommitTerms {
  readonly tables: Pick<PlannerTables, "plan" | "state" | "failed" | "outcomes">;
  readonly run: RunRef;
  readonly now: Date;
  readonly backOff: BackOff;
  readonly dialect: Dialect;
}

/** What a commit does after the run is marked as committed, in order. */
export function commitStatements(terms: CommitTerms): readonly string[] {
  return [mergeState(terms), forgetReclaimed(terms), mergeFailed(terms), cleanFailed(terms)];
}

/**
 * An accepted change is what the destination now holds. A change in doubt has no fingerprint, so whatever the model
 * says next, it differs and is sent again: also when the value has gone back to what state knew before.
 */
function mergeState(terms: CommitTerms): string {
  const { tables, run, dialect } = terms;
  const id = dialect.literal(run.id);
  return `merge into ${tables.state} as s
using (
${settled(terms)}
where p.waiting = 0 and p.kind in ('added', 'changed', 'removed') and p.reclaimed = 0 and o.kind in ('accepted', 'in_doubt')
) as x on s.row_key = x.row_key
when matched and x.outcome = 'accepted' and x.kind = 'removed' then delete
when matched and x.outcome = 'accepted' then update set fingerprint = x.fingerprint, record_hash = x.record_hash,
  destination_id = coalesce(x.destination_id, s.destination_id), match_cells = x.match_cells, run_id = ${id}
when matched then update set fingerprint = null, record_hash = null, run_id = ${id}
when not matched and x.kind <> 'removed' then
  insert (row_key, fingerprint, record_hash, destination_id, match_cells, run_id)
  values (x.row_key, case when x.outcome = 'accepted' then x.fingerprint end,
    case when x.outcome = 'accepted' then x.record_hash end, x.destination_id, x.match_cells, ${id})`;
}

/**
 * A row that left, and whose record another row has now, is forgotten when that other row was accepted. Until then it
 * stays in state: if the other row is never sent, the record is still this one's, to be removed.
 */
function forgetReclaimed({ tables }: CommitTerms): string {
  return `delete from ${tables.state} where row_key in (
select p.row_key from ${tables.plan} as p join ${tables.state} as s on s.match_cells = p.known_match
where p.kind = 'removed' and p.waiting = 0 and p.reclaimed = 1 and s.row_key <> p.row_key and s.fingerprint is not null)`;
}

/** The last moment that a date can be, in ms. */
const never = 8_640_000_000_000_000;

/** Copies of a row with one key and one fingerprint share one entry. */
function mergeFailed(terms: CommitTerms): string {
  const { tables, run, now, backOff, dialect } = terms;
  const wait = (attempts: string): string => {
    const next = `${now.getTime()} + cast(least(${backOff.maxMs}, ${backOff.firstMs} * power(2, least(${attempts}, 40))) as bigint)`;
    return backOff.times === undefined
      ? next
      : `case when ${attempts} + 1 >= ${backOff.times} then ${never} else ${next} end`;
  };
  return `merge into ${tables.failed} as f
using (
select row_key, fingerprint, kind, max(code) as code, max(message) as message
from (
${settled(terms)}
where p.waiting = 0 and o.kind in ('rejected', 'invalid')
) as refused group by row_key, fingerprint, kind
) as x on f.row_key = x.row_key and f.kind = x.kind and f.fingerprint is not distinct from x.fingerprint
when matched then update set attempts = f.attempts + 1, next_at = ${wait("f.attempts")}, code = x.code,
  message = x.message, run_id = ${dialect.literal(run.id)}
when not matched then insert (row_key, fingerprint, kind, attempts, next_at, code, message, run_id)
  values (x.row_key, x.fingerprint, x.kind, 1, ${wait("0")}, x.code, x.message, ${dialect.literal(run.id)})`;
}

/**
 * Keeps what waits, what was refused now, and what was planned but not sent. All else is settled or gone; but of rows
 * that a plan of named rows did not look at, nothing is known.
 */
function cleanFailed(terms: CommitTerms): string {
  const { failed, plan } = terms.tables;
  const lookedAtAll = `(select count(*) from ${plan} where seq = 0 and known_hash = 'keys') = 0`;
  return `merge into ${failed} as f
using (
select e.row_key, e.kind, e.fingerprint from ${failed} as e left join (
${settled(terms, "left join")}
where p.seq > 0 and (p.waiting = 1 or o.kind is null or o.kind in ('rejected', 'invalid'))
) as x on e.row_key = x.row_key and e.kind = x.kind and e.fingerprint is not distinct from x.fingerprint
where x.row_key is null and (${lookedAtAll} or e.row_key in (select row_key from ${plan} where seq > 0))
) as gone on f.row_key = gone.row_key and f.kind = gone.kind and f.fingerprint is not distinct from gone.fingerprint
when matched then delete`;
}

/** A query for the plan's rows with their outcomes. Of several outcomes of one change the last one under the highest fence counts. */
export function settled({ tables, run, dialect }: CommitTerms, join: "join" | "left join" = "join"): string {
  return `select p.seq, p.row_key, p.kind, p.fingerprint, p.match_cells,
  o.kind as outcome, o.record_hash, o.destination_id, o.code, o.message
from ${tables.plan} as p ${join} (
  select * from (
    select t.*, row_number() over (partition by seq order by fence desc, part desc) as latest
    from ${tables.outcomes} as t where run_id = ${dialect.literal(run.id)}
  ) as ranked where latest = 1
) as o on o.seq = p.seq`;
}
