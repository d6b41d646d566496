/** The tables that there are, and what is known of one: its columns, and by which of them a row is found. */
import { z } from "zod";
import { DestinationError, type ObjectSummary } from "../../src/destination.ts";
import type { Query } from "./sessions.ts";

export interface Column {
  readonly name: string;
  /** As SQL, without a length: what a text is cast to before it is compared. */
  readonly type: string;
  /** As SQL, with its length: what the column holds. */
  readonly exactType: string;
  /** The type by its own name in the catalogue; of a domain that of what lies beneath. */
  readonly base: string;
  /** The same of an array's elements; null for what is no array. */
  readonly element: string | null;
  readonly options: readonly string[] | null;
  /** Of varchar(n) and char(n). */
  readonly length: number | null;
  /** Of numeric(p, s). */
  readonly precision: number | null;
  readonly scale: number | null;
  readonly notNull: boolean;
  /** Postgres fills it where nothing is given. */
  readonly filled: boolean;
  /** It can be written: it is no generated column, and the role may. */
  readonly writable: boolean;
  /** Values that differ in their text may be one to the table: citext, and collations that ignore something. */
  readonly blurred: boolean;
  readonly comment: string | null;
}

export interface Table {
  /** `schema.table`, as people write it. */
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly comment: string | null;
  readonly columns: readonly Column[];
  /** The columns of each unique index that finds rows; the primary key's first. */
  readonly keys: readonly (readonly string[])[];
  /** The one column of the primary key. */
  readonly id: string | null;
}

const tables = `
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition
    and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
    and pg_catalog.has_table_privilege(c.oid, 'select')`;

export async function listTables(query: Query): Promise<readonly ObjectSummary[]> {
  const rows = await query(`select n.nspname || '.' || c.relname,
      coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), c.relname) ${tables} order by 1`);
  return rows.map(([name, title]) => ({ name: name ?? "", title: title ?? "" }));
}

/** Throws `unknown_object`, naming those there are. */
export async function describeTable(name: string, query: Query): Promise<Table> {
  // Postgres could not even be asked for a name with a NUL in it.
  const found = name.includes("\0")
    ? []
    : await query(
        `select c.oid::text, n.nspname, c.relname, pg_catalog.obj_description(c.oid, 'pg_class') ${tables}
         and n.nspname || '.' || c.relname = $1`,
        [name],
      );
  const [row, another] = found;
  if (row === undefined || another !== undefined) throw unknownTable(name, await listTables(query));
  const [oid, schema, table, comment] = row;
  const columns = (await query(columnsSql, [oid])).map(([json]) => columnSchema.parse(JSON.parse(json ?? "null")));
  const keys = (await query(keysSql, [oid])).map(([json, primary]) => {
    return { columns: z.array(z.string()).parse(JSON.parse(json ?? "[]")), isPrimary: primary === "t" };
  });
  const primary = keys.find(({ isPrimary }) => isPrimary)?.columns ?? [];
  return {
    name,
    schema: schema ?? "",
    table: table ?? "",
    comment: comment ?? null,
    columns,
    keys: keys.map((key) => key.columns),
    id: primary.length === 1 ? (primary[0] ?? null) : null,
  };
}

const columnSchema = z.object({
  name: z.string(),
  type: z.string(),
  exactType: z.string(),
  base: z.string(),
  element: z.string().nullable(),
  options: z.array(z.string()).nullable(),
  length: z.number().nullable(),
  precision: z.number().nullable(),
  scale: z.number().nullable(),
  notNull: z.boolean(),
  filled: z.boolean(),
  writable: z.boolean(),
  blurred: z.boolean(),
  comment: z.string().nullable(),
});

/** A domain is followed to what lies beneath it; lengths stand in type modifiers, as each type writes its own. */
const columnsSql = `
  select pg_catalog.json_build_object(
    'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, -1),
    'exactType', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'base', b.typname, 'element', e.typname,
    'options', (select pg_catalog.json_agg(l.enumlabel order by l.enumsortorder) from pg_catalog.pg_enum l
      where l.enumtypid = coalesce(e.oid, b.oid)),
    'length', case when b.typname in ('varchar', 'bpchar') and d.typmod > 4 then d.typmod - 4 end,
    'precision', case when b.typname = 'numeric' and d.typmod > 4 then ((d.typmod - 4) >> 16) & 65535 end,
    'scale', case when b.typname = 'numeric' and d.typmod > 4 then ((((d.typmod - 4) & 2047) # 1024) - 1024) end,
    'notNull', a.attnotnull or d.notnull,
    'filled', a.atthasdef or a.attidentity <> '' or d.filled,
    'writable', a.attgenerated = '' and a.attidentity <> 'a'
      and pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'insert, update'),
    'blurred', b.typname = 'citext' or coalesce(not o.collisdeterministic, false),
    'comment', pg_catalog.col_description(a.attrelid, a.attnum))::text
  from pg_catalog.pg_attribute a
  cross join lateral (
    with recursive beneath as (
      select t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod as typmod, t.typnotnull as notnull,
        t.typdefault is not null as filled, 0 as depth
      from pg_catalog.pg_type t where t.oid = a.atttypid
      union all
      select t.oid, t.typtype, t.typbasetype, t.typtypmod, u.typtypmod, u.notnull or t.typnotnull,
        u.filled or t.typdefault is not null, u.depth + 1
      from beneath u join pg_catalog.pg_type t on t.oid = u.typbasetype where u.typtype = 'd')
    select * from beneath order by depth desc limit 1) d
  join pg_catalog.pg_type b on b.oid = d.oid
  left join pg_catalog.pg_type e on b.typcategory = 'A' and e.oid = b.typelem
  left join pg_catalog.pg_collation o on o.oid = a.attcollation
  where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`;

/** Neither partial indexes nor those of expressions find every row; a deferrable one cannot be waited for. */
const keysSql = `
  select (select pg_catalog.json_agg(a.attname order by k.place)
      from pg_catalog.unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where k.place <= i.indnkeyatts)::text,
    case when i.indisprimary then 't' else 'f' end
  from pg_catalog.pg_index i
  where i.indrelid = $1::oid and i.indisunique and i.indisvalid and i.indimmediate
    and i.indpred is null and i.indexprs is null
  order by i.indisprimary desc, i.indexrelid`;

function unknownTable(name: string, known: readonly ObjectSummary[]): DestinationError {
  const names = known.map((one) => one.name);
  const there = names.length === 0 ? "The role may use none." : `There are: ${names.slice(0, 50).join(", ")}.`;
  const message = `The database has no table ${JSON.stringify(name)} for this role. ${there}`;
  return new DestinationError("refused", message, { code: "unknown_object", applied: "no" });
}
