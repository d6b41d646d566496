/** The statement that freezes a plan: the model runs once, is compared with state, and what differs is numbered. */
import type { Column, PlanRequest } from "../warehouse.ts";
import type { Dialect } from "./dialect.ts";
import type { PlannerTables } from "./names.ts";
import { modelSource } from "./model-sql.ts";

/** In the order in which they are numbered; `plan` is the row 0, which tells of the plan as a whole. */
export const planKinds = ["removed", "null_key", "duplicate_key", "duplicate_match", "changed", "added"] as const;

/**
 * A query for all that differs, in the columns of a plan table. `columns` are those of the whole model: the key's
 * types are needed.
 *
 * Only narrow texts go through the join; the cells of a row are made into text when it turns out to be planned. Keys
 * that occur twice are found by an aggregate over the keys alone, which is cheaper than a window over whole rows.
 */
export function planStatement(
  tables: PlannerTables,
  request: PlanRequest,
  columns: readonly Column[],
  dialect: Dialect,
): string {
  const { model, removals, scope } = request;
  const matchable = matchesOtherThanKey(request);
  const waits = scope === "full" ? "false" : `coalesce(f.next_at > ${request.now.getTime()}, false)`;
  return `with source as${dialect.materialized} (
select ${sourceColumns(request, columns, matchable, dialect)}
${modelSource(model, dialect)}
),
shared_key as (select row_key from source where row_key is not null group by row_key having count(*) > 1)${
    matchable
      ? `,
found as (select match_key, count(*) as copies from source where match_key is not null group by match_key)`
      : ""
  },
compared as (
select m.*, s.row_key as known_key, s.record_hash as known_hash, s.destination_id as known_id, s.match_cells as known_match,
  case when m.fingerprint is null then 'removed'
    when m.row_key is null then 'null_key'
    when k.row_key is not null then 'duplicate_key'
    ${matchable ? "when d.copies > 1 then 'duplicate_match'" : ""}
    when s.row_key is null then 'added'
    else 'changed' end as kind,
  ${matchable ? "case when m.fingerprint is null and d.copies is not null then 1 else 0 end" : "0"} as reclaimed
from source m ${removals ? "full outer" : "left"} join ${tables.state} s on s.row_key = m.row_key
left join shared_key k on k.row_key = m.row_key
${matchable ? "left join found d on d.match_key = case when m.fingerprint is null then s.match_cells else m.match_key end" : ""}
${scope === "full" ? "" : `where ${differs(matchable)}`}
),
named as (
select c.*, coalesce(c.row_key, c.known_key, 'null key ' || md5(cast(c.fingerprint as varchar))) as name from compared c
),
aged as (
select c.*, case when ${waits} then 1 else 0 end as waiting
from named c left join ${tables.failed} f
  on f.row_key = c.name and f.kind = c.kind and f.fingerprint is not distinct from c.fingerprint
)
select row_number() over (order by waiting, ${rank}, ${dialect.bytewise("name")}, fingerprint) as seq,
  waiting, kind, name as row_key, fingerprint, ${matchCells(request, dialect)} as match_cells,
  case when known_key is null then 0 else 1 end as known, known_hash, known_id, known_match, reclaimed,
  cast(null as bigint) as model_rows, cast(null as bigint) as state_rows,
  case when kind <> 'removed' then ${jsonArray(
    request.columns.map((column, index) => dialect.cell(column, `v${index}`)),
    dialect,
  )} end as cells
from aged
union all
select 0, 0, 'plan', ${dialect.literal(request.run.id)}, null, null, 0, null, null, null, 0,
  (select count(*) from source), (select count(*) from ${tables.state}), null`;
}

const rank = `case kind ${planKinds.map((kind, index) => `when '${kind}' then ${index + 1}`).join(" ")} end`;

/** The values as they are in the model, and what is compared: key, fingerprint, match values. */
function sourceColumns(request: PlanRequest, columns: readonly Column[], matchable: boolean, dialect: Dialect): string {
  const texts = request.columns.map((column) => dialect.stableCell(column, dialect.column(column.name)));
  const expressions = [
    `${dialect.bytewise(rowKey(request.model.key, columns, dialect))} as row_key`,
    `${dialect.fingerprint([dialect.literal(request.salt), ...texts])} as fingerprint`,
    ...request.columns.map((column, index) => `${dialect.column(column.name)} as v${index}`),
  ];
  if (matchable) {
    const cells = matchColumns(request).map(({ column }) => [column, dialect.column(column.name)] as const);
    const complete = cells.map(([, name]) => `${name} is not null`).join(" and ");
    const key = `case when ${complete} then ${jsonCells(cells, request, dialect)} end`;
    expressions.push(`${dialect.bytewise(key)} as match_key`);
  }
  return expressions.join(",\n  ");
}

/** The key as one text: of several columns, a JSON array of their texts. Null as soon as one of them is. */
function rowKey(key: readonly string[], columns: readonly Column[], dialect: Dialect): string {
  const texts = key.map((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    return dialect.cell(column ?? { name, type: "text", native: "" }, dialect.column(name));
  });
  const [only = "null"] = texts;
  return texts.length === 1 ? only : `'[' || ${texts.map((text) => dialect.json(text)).join(" || ',' || ")} || ']'`;
}

/** The match values of a planned row, as a JSON array of texts and nulls; null for removed rows. */
function matchCells(request: PlanRequest, dialect: Dialect): string {
  const cells = matchColumns(request).map(({ column, index }) => [column, `v${index}`] as const);
  return `case when kind <> 'removed' then ${jsonCells(cells, request, dialect)} end`;
}

function jsonCells(
  cells: readonly (readonly [Column, string])[],
  { matchIgnoresCase = false }: PlanRequest,
  dialect: Dialect,
): string {
  const text = (column: Column, value: string): string => {
    const cell = dialect.cell(column, value);
    return matchIgnoresCase ? `lower(trim(${cell}))` : cell;
  };
  return jsonArray(
    cells.map(([column, value]) => text(column, value)),
    dialect,
  );
}

/** Texts and nulls as one text: a JSON array. */
function jsonArray(texts: readonly string[], dialect: Dialect): string {
  if (texts.length === 0) return "'[]'";
  return `'[' || ${texts.map((text) => `coalesce(${dialect.json(text)}, 'null')`).join(" || ',' || ")} || ']'`;
}

function matchColumns({ columns, match }: PlanRequest): readonly { column: Column; index: number }[] {
  return match.flatMap((name) => {
    const index = columns.findIndex((column) => column.name === name);
    const column = columns[index];
    return column === undefined ? [] : [{ column, index }];
  });
}

/** When the match columns include the key, rows with different keys have different match values, but for their case. */
function matchesOtherThanKey({ match, matchIgnoresCase = false, model }: PlanRequest): boolean {
  return match.length > 0 && (matchIgnoresCase || !model.key.every((name) => match.includes(name)));
}

/** A fingerprint is null for a row that left the model, and in state for a row in doubt. */
function differs(matchable: boolean): string {
  const conditions = [
    "m.fingerprint is null",
    "m.row_key is null",
    "s.fingerprint is null",
    "m.fingerprint <> s.fingerprint",
    "k.row_key is not null",
    ...(matchable ? ["d.copies > 1"] : []),
  ];
  return conditions.join(" or ");
}
