/**
 * The statements that write a list of changes to a table. Each gives back the seq of the changes that it did something
 * for, found by joining what the table gave back with what was sent: by the columns that find a row, compared as the
 * database compares them. Pure.
 */
import type { Column, Table } from "./catalog.ts";

/** A name as SQL, whatever is in it. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const tableName = ({ schema, table }: Pick<Table, "schema" | "table">): string =>
  `${quote(schema)}.${quote(table)}`;

/** What a statement is given: changes that write the same columns. */
export interface Given {
  readonly table: Table;
  /** The columns that find a row. */
  readonly match: readonly Column[];
  /** The others that are written. */
  readonly written: readonly Column[];
}

/** Changes as a list for each column; the first is seq. A text is cast to its column's type, so that equal is equal. */
function given({ match, written }: Given, more: readonly Column[] = []): string {
  const columns = [...match, ...written, ...more];
  const lists = columns.map((_, at) => `, pg_catalog.unnest($${at + 2}::text[])`).join("");
  const names = columns.map((_, at) => `, v${at}`).join("");
  const cast = columns.map(({ type }, at) => `, s.v${at}::${type} as c${at}`).join("");
  return `given as materialized (select s.seq${cast} 
    from rows from (pg_catalog.unnest($1::int8[])${lists}) as s(seq${names}))`;
}

const found = ({ match }: Given): string => match.map(({ name }, at) => `t.${quote(name)} = g.c${at}`).join(" and ");

const idOf = ({ table: { id } }: Given): string => (id === null ? "null" : `t.${quote(id)}::text`);

/** `name = value` for each written column; where there is none, a column that finds the row is written as it is. */
function assignments({ match, written }: Given): string {
  const all = written.map(({ name }, at) => `${quote(name)} = g.c${match.length + at}`);
  const [first] = match;
  return all.length > 0 ? all.join(", ") : `${quote(first?.name ?? "")} = t.${quote(first?.name ?? "")}`;
}

/** Rows that are there. */
export function updateSql(what: Given): string {
  return `with ${given(what)} update ${tableName(what.table)} as t set ${assignments(what)}
    from given g where ${found(what)} returning g.seq::text, ${idOf(what)}`;
}

/** Rows that are known by the primary key, which get other values in the columns that find them. `id`: its column. */
export function renameSql(what: Given, id: Column): string {
  const { match, written } = what;
  const all = [...match, ...written].map(({ name }, at) => `${quote(name)} = g.c${at}`);
  return `with ${given(what, [id])} update ${tableName(what.table)} as t set ${all.join(", ")}
    from given g where t.${quote(id.name)} = g.c${all.length} returning g.seq::text, ${idOf(what)}`;
}

/** Rows that are new. One that somebody else made meanwhile is changed, or left where it is to be new. */
export function insertSql(what: Given, onConflict: "update" | "nothing"): string {
  const { match, written, table } = what;
  const columns = [...match, ...written].map(({ name }) => quote(name)).join(", ");
  const values = [...match, ...written].map((_, at) => `g.c${at}`).join(", ");
  const keys = match.map(({ name }) => quote(name)).join(", ");
  const set = (written.length > 0 ? written : match).map(({ name }) => `${quote(name)} = excluded.${quote(name)}`);
  const action = onConflict === "nothing" ? "nothing" : `update set ${set.join(", ")}`;
  const returned = match.map(({ name }, at) => `t.${quote(name)} as k${at}`).join(", ");
  const joined = match.map((_, at) => `d.k${at} = g.c${at}`).join(" and ");
  return `with ${given(what)}, done as (insert into ${tableName(table)} as t (${columns})
      select ${values} from given g on conflict (${keys}) do ${action} returning ${returned}, ${idOf(what)} as id)
    select g.seq::text, d.id from given g join done d on ${joined}`;
}

/** Every row is new, and none is looked for. Gives back a row for each. */
export function appendSql(what: Given): string {
  const { match, written, table } = what;
  const columns = [...match, ...written].map(({ name }) => quote(name)).join(", ");
  const values = [...match, ...written].map((_, at) => `g.c${at}`).join(", ");
  return `with ${given(what)} insert into ${tableName(table)} (${columns}) select ${values} from given g order by g.seq
    returning 1`;
}

export function deleteSql(what: Given): string {
  return `with ${given(what)} delete from ${tableName(what.table)} as t using given g where ${found(what)}
    returning g.seq::text`;
}

/** The rows that are there, and whether each shows just what was given. */
export function lookSql(what: Given): string {
  const { match, written, table } = what;
  const same = written.map(({ name, exactType }, at) => {
    return `t.${quote(name)}::text is not distinct from g.c${match.length + at}::${exactType}::text`;
  });
  return `with ${given(what)} select g.seq::text, ${idOf(what)}, (${["true", ...same].join(" and ")})::text
    from given g join ${tableName(table)} t on ${found(what)}`;
}

/** The values of some columns, of the rows that are there. `id`: found by the primary key. */
export function readSql(what: Given, read: readonly Column[], id?: Column): string {
  const values = read.map(({ name }) => `, t.${quote(name)}::text`).join("");
  const where = id ? `t.${quote(id.name)} = g.c${what.match.length + what.written.length}` : found(what);
  return `with ${given(what, id ? [id] : [])} select g.seq::text${values}
    from given g join ${tableName(what.table)} t on ${where}`;
}
