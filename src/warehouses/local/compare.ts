/** The plan of a source that cannot be written: compared here, with the rows that the source's own SQL makes of it. */
import type { Column, PlanRequest } from "../../warehouse.ts";
import type { Database, Dialect, Row, SessionOptions } from "../dialect.ts";
import { duckdbDialect } from "../duckdb/dialect.ts";
import { differences, matchesOtherThanKey, sourceStatement } from "../plan-sql.ts";
import { parquet, type Scratch, takeIn, type TakenColumn } from "./scratch.ts";

/** A fingerprint is the source's own, hashed once more into what Parquet can keep. */
export const localDialect: Dialect = { ...duckdbDialect, fingerprintType: "uuid" };

export interface Comparison {
  readonly request: PlanRequest;
  /** The columns of the whole model. */
  readonly columns: readonly Column[];
  readonly source: Database;
  readonly sync: string;
  /** State and refused rows, as tables in scratch. */
  readonly tables: { readonly state: string; readonly failed: string };
  /** State has rows, and they were planned with the same salt. */
  readonly fewDiffer: boolean;
  /** How many rows the model had when it was last planned; 0 when it never was. */
  readonly lastRows: number;
  readonly signal: AbortSignal | undefined;
}

/** Keys in one statement that asks for rows by their keys. */
const keysAtATime = 10_000;
/** Keys longer than this, in bytes, would make statements that not every warehouse takes. */
const longestKey = 1024;

/** Whether rows are better asked for by their keys than by reading the whole model once more. */
function areFew(wanted: number, modelRows: number): boolean {
  return wanted <= keysAtATime || (wanted <= 20 * keysAtATime && wanted * 10 <= modelRows);
}

/**
 * A query in scratch for a plan's rows. First only keys, fingerprints and match values come from the source; the cells
 * of what differs follow by key. Where all rows will differ, many do, or only those that are named are read, everything comes at once.
 */
export async function comparedQuery(comparison: Comparison, scratch: Scratch): Promise<string> {
  if (comparison.request.scope !== "changes" || !comparison.fewDiffer) return await wholeQuery(comparison, scratch);
  const rows = await takeAll(comparison, false, scratch);
  await scratch.session.execute(`create table drafted as ${differencesOf(rows, false, comparison)}`);
  const [[wanted, longest, modelRows] = []] = await scratch.session.query(
    `select count(*) filter (where ${isWanted}), max(strlen(row_key)) filter (where ${isWanted}), max(model_rows) from drafted`,
  );
  if (Number(wanted) === 0) return "select * from drafted";
  if (Number(longest) > longestKey || !areFew(Number(wanted), Number(modelRows))) {
    return await wholeQuery(comparison, scratch);
  }
  const cells = await takeRows(cellsOfWanted(comparison, scratch), true, scratch);
  return filledQuery(cells, comparison.request);
}

async function wholeQuery(comparison: Comparison, scratch: Scratch): Promise<string> {
  const rows = await takeAll(comparison, true, scratch);
  return differencesOf(rows, true, comparison);
}

/** A model with more rows is exported, where the source can, rather than streamed. */
const manyRows = 100_000;

/** All rows of the model, as a table in scratch. */
async function takeAll(comparison: Comparison, withCells: boolean, scratch: Scratch): Promise<string> {
  const { request, columns, source, lastRows } = comparison;
  const sql = sourceStatement(request, columns, source.dialect, withCells);
  const files = lastRows > manyRows ? await source.export?.(sql, scratch.folder, optionsOf(comparison)) : null;
  if (files == null) return await takeRows(readSource(sql, comparison), withCells, scratch);
  const kept = takenColumns(withCells).map(({ name, as = name }) => `${as} as ${name}`);
  return `(select ${kept.join(", ")} from ${parquet(...files)})`;
}

function readSource(sql: string, comparison: Comparison): AsyncIterable<readonly Row[]> {
  return comparison.source.stream(sql, optionsOf(comparison));
}

function optionsOf({ sync, request, signal }: Comparison): SessionOptions {
  return { signal, readOnly: true, tag: { sync, run: request.run.id, step: "plan" } };
}

const narrow: readonly TakenColumn[] = [
  { name: "row_key", type: "text" },
  { name: "fingerprint", type: "text", as: "cast(md5(fingerprint) as uuid)" },
  { name: "match_key", type: "text" },
  { name: "match_cells", type: "text" },
];

function takenColumns(withCells: boolean): readonly TakenColumn[] {
  return withCells ? [...narrow, { name: "cells", type: "text" }] : narrow;
}

function takeRows(pages: AsyncIterable<readonly Row[]>, withCells: boolean, scratch: Scratch): Promise<string> {
  return takeIn(withCells ? "whole" : "narrow", takenColumns(withCells), pages, scratch);
}

function differencesOf(rows: string, withCells: boolean, { tables, request, columns }: Comparison): string {
  const source = {
    rows: `select * from ${rows}`,
    // Each part of the query reads the columns that it needs.
    materialized: " not materialized",
    matchKey: "match_key",
    matchCells: "match_cells",
    cells: withCells ? "cells" : "cast(null as varchar)",
  };
  return differences(source, tables, request, columns, localDialect);
}

/** The rows of a drafted plan whose cells are sent. */
const isWanted = "waiting = 0 and kind not in ('removed', 'plan')";

async function* cellsOfWanted(comparison: Comparison, { session }: Scratch): AsyncIterable<readonly Row[]> {
  const { dialect } = comparison.source;
  const found = await session.query(
    `select distinct case when kind <> 'null_key' then row_key end as k from drafted where ${isWanted} order by k nulls first`,
  );
  const all = sourceStatement(comparison.request, comparison.columns, dialect, true);
  for (let start = 0; start < found.length; start += keysAtATime) {
    const keys = found.slice(start, start + keysAtATime).map(([key]) => key ?? null);
    const named = keys.filter((key) => key !== null).map((key) => dialect.literal(key));
    const conditions = [
      ...(named.length > 0 ? [`row_key in (${named.join(", ")})`] : []),
      ...(keys.includes(null) ? ["row_key is null"] : []),
    ];
    yield* readSource(`select * from (\n${all}\n) as wanted where ${conditions.join(" or ")}`, comparison);
  }
}

/**
 * The drafted plan with the cells that the source has by now. A row keeps its place with its newer values, and the
 * fingerprint of those. It leaves the plan, to be found by the next one, when it is gone, when its key has become
 * another number of rows, or when its match values are others: those were compared with all the model's.
 */
function filledQuery(cells: string, request: PlanRequest): string {
  const known = "known, known_hash, known_id, known_match, reclaimed";
  const copies =
    "row_number() over (partition by k order by fingerprint) as copy, count(*) over (partition by k) as copies";
  return `with wanted as (
  select *, ${copies} from (
    select *, case when kind <> 'null_key' then row_key end as k from drafted where kind not in ('removed', 'plan')
  )
),
found as (select *, ${copies} from (select *, row_key as k from ${cells} as came)),
filled as (
  select w.seq, w.kind, f.fingerprint, f.match_cells, ${known}, f.cells,
    case when w.kind = 'null_key' then 'null key ' || md5(cast(f.fingerprint as varchar)) else w.row_key end as row_key
  from wanted as w join found as f on f.k is not distinct from w.k and f.copy = w.copy
  where w.waiting = 0 and (w.k is null or f.copies = w.copies)${
    matchesOtherThanKey(request) ? " and f.match_cells = w.match_cells" : ""
  }
),
settled as (
  select seq, kind, row_key, fingerprint, match_cells, ${known}, cells from filled
  union all
  select seq, kind, row_key, fingerprint, match_cells, ${known}, cells from drafted where kind = 'removed' and waiting = 0
)
select row_number() over (order by seq) as seq, 0 as waiting, kind, row_key, fingerprint, match_cells, ${known},
  cast(null as bigint) as model_rows, cast(null as bigint) as state_rows, cells
from settled
union all
select seq, waiting, kind, row_key, fingerprint, match_cells, ${known}, model_rows, state_rows, cells
from drafted where waiting = 1
union all
select seq, waiting, kind, row_key, fingerprint, match_cells, ${known},
  model_rows + (select count(*) from filled) - (select count(*) from wanted where waiting = 0), state_rows, cells
from drafted where kind = 'plan'`;
}
