/** The statement that freezes a plan: the model runs once, is compared with state, and what differs is numbered. */
import type { Column, PlanRequest } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";
import type { PlannerTables } from "./names.ts";
import { columnValue, modelSource } from "./model-sql.ts";
import { mayBeNamed, namedKeys } from "./named-rows.ts";

/** In the order in which they are numbered; `plan` is the row 0, which tells of the plan as a whole. */
export const planKinds = ["removed", "null_key", "duplicate_key", "duplicate_match", "changed", "added"] as const;

/** The rows that are compared with state, and what a planned one of them holds. */
export interface PlanSource {
  /** A query for `row_key`, `fingerprint`, and what the next three read. */
  readonly rows: string;
  /** After `as`, how often that query may run. */
  readonly materialized: string;
  /** What rows that share a record in the destination have in common: null where a match value is. */
  readonly matchKey: string;
  /** The match values of a row, as a JSON array of texts and nulls. */
  readonly matchCells: string;
  /** The cells of a row, likewise. */
  readonly cells: string;
}

/**
 * A query for all that differs between a model and state, in the columns of a plan table. `columns` are those of the
 * whole model: the key's types are needed. `schema` has the planner's tables, also those of other syncs.
 *
 * Only narrow texts go through the join; the cells of a row are made into text when it turns out to be planned.
 */
export function planStatement(
  tables: PlannerTables,
  request: PlanRequest,
  columns: readonly Column[],
  dialect: Dialect,
  schema: readonly string[],
): string {
  const read: ValueOf = (column) => columnValue(column, schema, dialect);
  const values = request.columns.map((column) => `${read(column)} as ${valueOf(request, column)}`);
  const { rowKey, fingerprint } = comparedOf(request, columns, dialect, read);
  const rows = [`${rowKey} as row_key`, `${fingerprint} as fingerprint`, ...values].join(",\n  ");
  const source = {
    rows: `select ${rows}\n${narrowedSource(request, columns, dialect)}`,
    materialized: dialect.materialized,
    matchKey: matchKey(request, (column) => valueOf(request, column), dialect),
    matchCells: matchCells(request, (column) => valueOf(request, column), dialect),
    cells: cellsOf(request, (column) => valueOf(request, column), dialect),
  };
  return differences(source, tables, request, columns, dialect);
}

/**
 * A query for the rows of a model as texts only, for a planner elsewhere: `row_key`, `fingerprint`, `match_key`,
 * `match_cells` and, if `withCells`, `cells`.
 */
export function sourceStatement(
  request: PlanRequest,
  columns: readonly Column[],
  dialect: Dialect,
  withCells: boolean,
): string {
  const named = ({ name }: Column): string => dialect.column(name);
  const { rowKey, fingerprint } = comparedOf(request, columns, dialect, named);
  const texts = [
    `${rowKey} as row_key`,
    `${dialect.fingerprintText(fingerprint)} as fingerprint`,
    `${matchesOtherThanKey(request) ? matchKey(request, named, dialect) : "cast(null as varchar)"} as match_key`,
    `${matchCells(request, named, dialect)} as match_cells`,
    ...(withCells ? [`${cellsOf(request, named, dialect)} as cells`] : []),
  ];
  return `select ${texts.join(",\n  ")}\n${narrowedSource(request, columns, dialect)}`;
}

/**
 * What differs between a source and state. What occurs twice is found by an aggregate over keys and match values alone,
 * which is cheaper than a window over whole rows, and as a rule it is nothing. So nothing as large as the model is
 * joined but the model and state.
 */
export function differences(
  source: PlanSource,
  tables: Pick<PlannerTables, "state" | "failed">,
  request: PlanRequest,
  columns: readonly Column[],
  dialect: Dialect,
): string {
  const { removals, scope } = request;
  const reclaims = removals && matchesOtherThanKey(request);
  const waits = scope === "full" ? "false" : `forced = 0 and coalesce(f.next_at > ${request.now.getTime()}, false)`;
  const names = namesRows(request);
  return `with ${names ? `wanted as (${wanted(request, columns, dialect)}),\n` : ""}source as${source.materialized} (
${source.rows}
),
${withheld(source, request)},
compared as${reclaims ? dialect.materialized : ""} (
select m.*, s.row_key as known_key, s.record_hash as known_hash, s.destination_id as known_id, s.match_cells as known_match,
  case when m.fingerprint is null then 'removed'
    when m.row_key is null then 'null_key'
    when k.row_key is not null then k.kind
    when s.row_key is null then 'added'
    else 'changed' end as kind,
  ${names ? "case when w.row_key is null then 0 else 1 end" : "0"} as forced
from source m ${removals ? "full outer" : "left"} join ${comparedState(tables, request)} s on s.row_key = m.row_key
left join withheld k on k.row_key = m.row_key
${names ? "left join wanted w on w.row_key = coalesce(m.row_key, s.row_key)" : ""}
${whatToPlan(request)}
),
${reclaims ? `${taken(source)},` : ""}
named as (
select c.*, coalesce(c.row_key, c.known_key, 'null key ' || md5(cast(c.fingerprint as varchar))) as name,
  ${reclaims ? "case when t.match_key is null then 0 else 1 end" : "0"} as reclaimed
from compared c ${reclaims ? "left join taken t on c.kind = 'removed' and t.match_key = c.known_match" : ""}
),
aged as (
select c.*, case when ${waits} then 1 else 0 end as waiting
from named c left join ${tables.failed} f
  on f.row_key = c.name and f.kind = c.kind and f.fingerprint is not distinct from c.fingerprint
)
select row_number() over (order by waiting, ${rank}, ${dialect.bytewise("name")}, fingerprint) as seq,
  waiting, kind, name as row_key, fingerprint, case when kind <> 'removed' then ${source.matchCells} end as match_cells,
  case when known_key is null then 0 else 1 + forced end as known, known_hash, known_id, known_match, reclaimed,
  cast(null as bigint) as model_rows, cast(null as bigint) as state_rows,
  case when kind <> 'removed' then ${source.cells} end as cells
from aged
union all
select 0, 0, 'plan', ${dialect.literal(request.run.id)}, null, null, 0, ${dialect.literal(scope)}, null, null, 0,
  ${totals(tables, request)}`;
}

/** The keys of rows that cannot be sent because others share their key, or their match values, with the fault of each. */
function withheld({ matchKey }: PlanSource, request: PlanRequest): string {
  if (!matchesOtherThanKey(request)) {
    return `withheld as (
select row_key, 'duplicate_key' as kind from source where row_key is not null group by row_key having count(*) > 1
)`;
  }
  // A row with both faults is told of the first: min() takes the key before the match values.
  return `withheld as (
select row_key, min(kind) as kind from (
  select row_key, 'duplicate_key' as kind from source where row_key is not null group by row_key having count(*) > 1
  union all
  select row_key, 'duplicate_match' as kind from source where row_key is not null and ${matchKey} in (
    select match_key from (select ${matchKey} as match_key from source) as keyed
    where match_key is not null group by match_key having count(*) > 1
  )
) as faults group by row_key
)`;
}

/** Match values of removed rows that a row of the model has. Where nothing is removed, the source is not looked through. */
function taken({ matchKey }: PlanSource): string {
  return `taken as (
select distinct match_key from (select ${matchKey} as match_key from source) as keyed
where match_key in (select known_match from compared where kind = 'removed')
)`;
}

/** Whether rows are planned because they are named. A full plan has them anyway. */
function namesRows({ scope, keys = [] }: PlanRequest): boolean {
  return scope === "keys" || (scope === "changes" && keys.length > 0);
}

function wanted({ keys = [], model }: PlanRequest, columns: readonly Column[], dialect: Dialect): string {
  return namedKeys(keys, keyColumns(model.key, columns), dialect, (texts) => keyText(texts, dialect));
}

/**
 * The model's rows, or those that are named. Where a row that left could have its match values taken over by any other
 * row, all of them are looked at, or the record of that other row would be removed.
 */
function narrowedSource(request: PlanRequest, columns: readonly Column[], dialect: Dialect): string {
  const { model, keys = [] } = request;
  if (request.scope !== "keys" || (request.removals && matchesOtherThanKey(request))) {
    return modelSource(model, dialect);
  }
  return modelSource(model, dialect, mayBeNamed(keys, keyColumns(model.key, columns), dialect));
}

function comparedState({ state }: Pick<PlannerTables, "state">, { scope }: PlanRequest): string {
  return scope === "keys" ? `(select * from ${state} where row_key in (select row_key from wanted))` : state;
}

function whatToPlan(request: PlanRequest): string {
  const isNamed = "w.row_key is not null";
  switch (request.scope) {
    case "full":
      return "";
    case "keys":
      return `where ${isNamed}`;
    case "changes":
      return `where ${differs}${namesRows(request) ? ` or ${isNamed}` : ""}`;
  }
}

/** Of the plan as a whole: rows of the model, rows of state, and, in the place of cells, the keys that were not found. */
function totals({ state }: Pick<PlannerTables, "state">, request: PlanRequest): string {
  const notFound = `cast((select count(*) from wanted w left join source m on m.row_key = w.row_key
    left join ${state} s on s.row_key = w.row_key where m.row_key is null and s.row_key is null) as varchar)`;
  const ofState = `(select count(*) from ${state})`;
  if (request.scope !== "keys")
    return `(select count(*) from source), ${ofState}, ${namesRows(request) ? notFound : "null"}`;
  const removes = "(select count(*) from aged where kind = 'removed') > 0";
  return `(select count(*) from source where row_key in (select row_key from wanted)),
  case when ${removes} then ${ofState} else 0 end, ${notFound}`;
}

const rank = `case kind ${planKinds.map((kind, index) => `when '${kind}' then ${index + 1}`).join(" ")} end`;

/** What is compared of a row, as SQL. */
interface Compared {
  readonly rowKey: string;
  readonly fingerprint: string;
}

function comparedOf(request: PlanRequest, columns: readonly Column[], dialect: Dialect, read: ValueOf): Compared {
  const texts = request.columns.map((column) => dialect.stableCell(column, read(column)));
  return {
    rowKey: dialect.bytewise(rowKey(request.model.key, columns, dialect)),
    fingerprint: dialect.fingerprint([dialect.literal(request.salt), ...texts]),
  };
}

function matchKey(request: PlanRequest, value: ValueOf, dialect: Dialect): string {
  const complete = matchColumns(request).map((column) => `${value(column)} is not null`);
  return dialect.bytewise(`case when ${complete.join(" and ")} then ${matchCells(request, value, dialect)} end`);
}

/** What a value of the model is called in the source. */
function valueOf({ columns }: PlanRequest, column: Column): string {
  return `v${columns.indexOf(column)}`;
}

/** The key as one text: of several columns, a JSON array of their texts. Null as soon as one of them is. */
function rowKey(key: readonly string[], columns: readonly Column[], dialect: Dialect): string {
  const texts = keyColumns(key, columns).map((column) => dialect.cell(column, dialect.column(column.name)));
  return keyText(texts, dialect);
}

function keyColumns(key: readonly string[], columns: readonly Column[]): readonly Column[] {
  return key.map((name) => columns.find((column) => column.name === name) ?? { name, type: "text", native: "" });
}

function keyText(texts: readonly string[], dialect: Dialect): string {
  const [only = "null"] = texts;
  return texts.length === 1 ? only : `'[' || ${texts.map((text) => dialect.json(text)).join(" || ',' || ")} || ']'`;
}

type ValueOf = (column: Column) => string;

function cellsOf({ columns }: PlanRequest, value: ValueOf, dialect: Dialect): string {
  return jsonArray(
    columns.map((column) => dialect.cell(column, value(column))),
    dialect,
  );
}

function matchCells(request: PlanRequest, value: ValueOf, dialect: Dialect): string {
  const text = (column: Column): string => {
    const cell = dialect.cell(column, value(column));
    return request.matchIgnoresCase === true ? `lower(trim(${cell}))` : cell;
  };
  return jsonArray(matchColumns(request).map(text), dialect);
}

/** Texts and nulls as one text: a JSON array. */
function jsonArray(texts: readonly string[], dialect: Dialect): string {
  if (texts.length === 0) return "'[]'";
  if (dialect.jsonArray) return dialect.jsonArray(texts);
  return `'[' || ${texts.map((text) => `coalesce(${dialect.json(text)}, 'null')`).join(" || ',' || ")} || ']'`;
}

function matchColumns({ columns, match }: PlanRequest): readonly Column[] {
  return match.flatMap((name) => columns.find((column) => column.name === name) ?? []);
}

/** When the match columns include the key, rows with different keys have different match values, but for their case. */
export function matchesOtherThanKey({ match, matchIgnoresCase = false, model }: PlanRequest): boolean {
  return match.length > 0 && (matchIgnoresCase || !model.key.every((name) => match.includes(name)));
}

/** A fingerprint is null for a row that left the model, and in state for a row in doubt. */
const differs = [
  "m.fingerprint is null",
  "m.row_key is null",
  "s.fingerprint is null",
  "m.fingerprint <> s.fingerprint",
  "k.row_key is not null",
].join(" or ");
