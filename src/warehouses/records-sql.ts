/** The statements that keep records: the last ones accepted, and what they replaced. */
import type { RevertRequest } from "../warehouse.ts";
import { type CommitTerms, settled } from "./commit-sql.ts";
import type { Dialect } from "./dialect.ts";
import type { PlannerTables } from "./names.ts";

/** For so long a run can be undone. */
const keepPastMs = 14 * 86_400_000;

type Terms = Omit<CommitTerms, "tables"> & { readonly tables: PlannerTables };

/** Before state changes: what the accepted changes of a run replace. A record that was there already replaces nothing. */
export function notePast(terms: Terms): readonly string[] {
  const { tables, run, now, dialect } = terms;
  const note = `insert into ${tables.past} (run_id, noted_at, kind, row_key, new_hash, fingerprint, match_cells, record_hash, destination_id, record)
select ${dialect.literal(run.id)}, ${now.getTime()}, x.kind, x.row_key, x.record_hash,
  s.fingerprint, s.match_cells, s.record_hash, s.destination_id, k.record
from (
${accepted(terms)}
) as x left join ${tables.state} as s on s.row_key = x.row_key
left join ${tables.kept} as k on k.row_key = x.row_key and k.record_hash = s.record_hash
where x.kind = 'removed' or s.record_hash is distinct from x.record_hash`;
  return [note, `delete from ${tables.past} where noted_at < ${now.getTime() - keepPastMs}`];
}

/** After state has changed: the record of every row that state has, as far as it was staged. */
export function keepStaged(terms: Terms): readonly string[] {
  const { tables, run, dialect } = terms;
  const keep = `merge into ${tables.kept} as k
using (
select x.row_key, x.kind, x.record_hash, max(r.record) as record from (
${accepted(terms)}
) as x left join ${tables.staged} as r
  on r.run_id = ${dialect.literal(run.id)} and r.seq = x.seq and r.record_hash = x.record_hash
group by x.row_key, x.kind, x.record_hash
) as n on k.row_key = n.row_key
when matched and n.kind = 'removed' then delete
when matched and n.record is not null then update set record_hash = n.record_hash, record = n.record
when not matched and n.kind <> 'removed' and n.record is not null then
  insert (row_key, record_hash, record) values (n.row_key, n.record_hash, n.record)`;
  // Also the records of rows whose record another row has now.
  const forget = `delete from ${tables.kept} where row_key in (select row_key from ${tables.plan} where kind = 'removed')
and row_key not in (select row_key from ${tables.state})`;
  return [keep, forget, `delete from ${tables.staged}`];
}

function accepted(terms: Terms): string {
  return `${settled(terms)}
where p.waiting = 0 and p.kind in ('added', 'changed', 'removed') and p.reclaimed = 0 and o.kind = 'accepted'`;
}

/** What became of the rows of a run since; `undone` is null for those that can be undone. */
function rowsOf(tables: PlannerTables, reverts: string, dialect: Dialect): string {
  return `select b.row_key, b.kind, b.fingerprint, b.match_cells, b.record,
  s.row_key as known_key, s.record_hash as known_hash, s.destination_id as known_id, s.match_cells as known_match,
  case when b.kind = 'added' then 'first'
    when b.kind = 'removed' and s.row_key is not null then 'overtaken'
    when b.kind = 'changed' and s.record_hash is distinct from b.new_hash then 'overtaken'
    when b.record is null then 'unknown' end as obstacle
from ${tables.past} as b left join ${tables.state} as s on s.row_key = b.row_key
where b.run_id = ${dialect.literal(reverts)}`;
}

/** A query for the plan that undoes a run, in the columns of a plan table. */
export function revertStatement(tables: PlannerTables, { run, reverts }: RevertRequest, dialect: Dialect): string {
  const kind = "case when known_key is null then 'added' else 'changed' end";
  return `with undone as (
select * from (
${rowsOf(tables, reverts, dialect)}
) as r where obstacle is null
)
select row_number() over (order by ${kind} desc, ${dialect.bytewise("row_key")}) as seq,
  0 as waiting, ${kind} as kind, row_key, fingerprint, match_cells,
  case when known_key is null then 0 else 1 end as known, known_hash, known_id, known_match, 0 as reclaimed,
  cast(null as bigint) as model_rows, cast(null as bigint) as state_rows,
  '[' || ${dialect.json("record")} || ']' as cells
from undone
union all
select 0, 0, 'plan', ${dialect.literal(run.id)}, null, null, 0, 'keys', null, null, 0,
  (select count(*) from undone), (select count(*) from ${tables.state}), null`;
}

/** A query for what keeps rows of a run from being undone, and how many there are of each. */
export function obstaclesStatement(tables: PlannerTables, reverts: string, dialect: Dialect): string {
  return `select obstacle, count(*) from (
${rowsOf(tables, reverts, dialect)}
) as r where obstacle is not null group by obstacle`;
}
