/**
 * What Snowflake's functions do where DuckDB has none, or one of the same name that does something else. Their names
 * begin with `sf_`, so DuckDB's own functions are never shadowed.
 */
import { otherSideSql } from "./names.ts";

const timestampText = "%Y-%m-%d %H:%M:%S.%g";

/** A BLOB as text and back is the one cast that binds for every type, and so can stand in a branch for BLOBs. */
const asBlob = (x: string): string => `cast(cast(${x} as varchar) as blob)`;

const dateUnits: Readonly<Record<string, string>> = {
  year: "to_years",
  quarter: "to_quarters",
  month: "to_months",
  week: "to_weeks",
  day: "to_days",
  hour: "to_hours",
  minute: "to_minutes",
  second: "to_seconds",
  millisecond: "to_milliseconds",
  microsecond: "to_microseconds",
};

/** The units of DATEADD, by their names. */
export const addableUnits: readonly string[] = Object.keys(dateUnits);

const additions = Object.entries(dateUnits).map(
  ([unit, interval]) => `sf_dateadd_${unit}(n, x) as x + ${interval}(cast(round(n) as integer))`,
);

/** In bytes, what one VARCHAR holds. */
const longestText = 16_777_216;

const scalars: readonly string[] = [
  `sf_text(x) as case
    when typeof(x) = 'JSON' then json_extract_string(cast(x as json), '$')
    when typeof(x) = 'BLOB' then hex(${asBlob("x")})
    when typeof(x) = 'TIMESTAMP WITH TIME ZONE' then
      strftime(try_cast(cast(x as varchar) as timestamp_ns), '${timestampText} +0000')
    when typeof(x) like 'TIMESTAMP%' then strftime(try_cast(cast(x as varchar) as timestamp_ns), '${timestampText}')
    else cast(x as varchar) end`,
  `sf_binary(x) as case when typeof(x) = 'BLOB' then ${asBlob("x")} else unhex(cast(x as varchar)) end`,
  `sf_clock(x) as case when typeof(x) like 'TIME%' and typeof(x) not like 'TIMESTAMP%'
    then cast('1970-01-01 ' || cast(x as varchar) as timestamp_ns) else try_cast(cast(x as varchar) as timestamp_ns) end`,
  `sf_length(x) as case when typeof(x) = 'BLOB' then octet_length(${asBlob("x")}) else length(cast(x as varchar)) end`,
  `sf_bounded(x) as case when strlen(x) > ${longestText} then error('Text is too long') else x end`,
  "sf_divide(a, b) as case when b = 0 then error('Division by zero') else a / b end",
  "sf_modulo(a, b) as case when b = 0 then error('Division by zero') else a % b end",
  "sf_div0(a, b) as case when b = 0 then 0 else a / b end",
  "sf_get(v, path) as json_extract(v, path)",
  "sf_to_json(x) as cast(to_json(x) as varchar)",
  "sf_try_parse_json(x) as case when json_valid(x) then cast(x as json) end",
  "sf_array_size(x) as json_array_length(cast(x as json))",
  "sf_object_construct(x) as json_merge_patch('{}', x)",
  "sf_equal_null(a, b) as a is not distinct from b",
  "sf_iff(a, b, c) as case when a then b else c end",
  "sf_nvl2(a, b, c) as case when a is not null then b else c end",
  "sf_zeroifnull(x) as coalesce(x, 0)",
  "sf_nullifzero(x) as nullif(x, 0)",
  "sf_greatest(a, b) as case when a is null or b is null then null else greatest(a, b) end",
  "sf_least(a, b) as case when a is null or b is null then null else least(a, b) end",
  "sf_concat(a, b) as a || b",
  "sf_replace(x, old) as replace(x, old, '')",
  "sf_charindex(part, x) as strpos(x, part)",
  "sf_regexp_like(x, pattern) as regexp_full_match(x, pattern)",
  "sf_regexp_replace(x, pattern) as regexp_replace(x, pattern, '', 'g')",
  String.raw`sf_regexp_replace_with(x, pattern, new) as regexp_replace(x, pattern, new, 'g')`,
  "sf_md5_binary(x) as unhex(md5(x))",
  "sf_sha2_binary(x) as unhex(sha256(x))",
  "sf_uuid_string() as cast(uuid() as varchar)",
  "sf_sysdate() as cast(now() as timestamp_ns)",
  "sf_epoch_second(x) as cast(floor(epoch(x)) as bigint)",
  "sf_utc(x) as cast(x as timestamptz)",
  "sf_convert_timezone(origin, target, x) as cast((cast(x as timestamp) at time zone origin) at time zone target as timestamp_ns)",
  `sf_to_timestamp(x) as case when regexp_full_match(cast(x as varchar), '-?[0-9]+')
    then make_timestamp_ns(cast(cast(x as varchar) as bigint) * 1000000000) else cast(cast(x as varchar) as timestamp_ns) end`,
  "sf_typeof(x) as typeof(x)",
  ...additions,
];

const aggregates: readonly string[] = [
  "sf_array_agg(x) as to_json(coalesce(list(x) filter (where x is not null), []))",
];

const tables: readonly string[] = [
  `sf_stage(files) as table select to_json(f) as "$1" from read_parquet(files) f`,
  `sf_no_files() as table select cast(null as json) as "$1" where false`,
];

const schemaName = `case when schema_name = 'main' then 'PUBLIC' else ${otherSideSql("schema_name")} end`;
const ofData = "database_name in ('SANDBOX', 'temp') and not internal";

/** Snowflake's name of a type that DuckDB's catalog names. */
function typeName(type: string): string {
  return `case when ${type} like 'DECIMAL%' or ${type} like '%INT%' then 'NUMBER'
    when ${type} in ('DOUBLE', 'FLOAT') then 'FLOAT'
    when ${type} = 'TIMESTAMP WITH TIME ZONE' then 'TIMESTAMP_TZ'
    when ${type} like 'TIMESTAMP%' then 'TIMESTAMP_NTZ'
    when ${type} = 'BLOB' then 'BINARY'
    when ${type} in ('BOOLEAN', 'DATE', 'TIME') then ${type}
    when ${type} = 'JSON' or ${type} like 'STRUCT%' or ${type} like 'MAP%' then 'VARIANT'
    when ${type} like '%]' then 'ARRAY' else 'TEXT' end`;
}

const views: readonly string[] = [
  `information_schema_schemata as select 'SANDBOX' as catalog_name, ${schemaName} as schema_name,
    'SANDBOX' as schema_owner from duckdb_schemas()
    where database_name = 'SANDBOX' and (not internal or schema_name = 'main')`,
  `information_schema_tables as
    select 'SANDBOX' as table_catalog, ${schemaName} as table_schema, ${otherSideSql("table_name")} as table_name,
      case when temporary then 'LOCAL TEMPORARY' else 'BASE TABLE' end as table_type, estimated_size as row_count
    from duckdb_tables() where ${ofData}
    union all
    select 'SANDBOX', ${schemaName}, ${otherSideSql("view_name")}, 'VIEW', null from duckdb_views() where ${ofData}`,
  `information_schema_columns as select 'SANDBOX' as table_catalog, ${schemaName} as table_schema,
      ${otherSideSql("table_name")} as table_name, ${otherSideSql("column_name")} as column_name,
      column_index as ordinal_position, column_default, case when is_nullable then 'YES' else 'NO' end as is_nullable,
      ${typeName("data_type")} as data_type,
      case when ${typeName("data_type")} = 'NUMBER' then case when data_type like 'DECIMAL%' then numeric_precision else 38 end end
        as numeric_precision,
      case when ${typeName("data_type")} = 'NUMBER' then coalesce(numeric_scale, 0) end as numeric_scale
    from duckdb_columns() where ${ofData}`,
];

/** Statements that give a DuckDB the functions and catalog views, in the database that is current. */
export const preparation: readonly string[] = [
  ...[...scalars, ...aggregates, ...tables].map((macro) => `create or replace macro ${macro}`),
  ...views.map((view) => `create or replace view ${view}`),
];

/** The catalog views, by their names in Snowflake's information schema. */
export const informationSchema: Readonly<Record<string, string>> = {
  SCHEMATA: "information_schema_schemata",
  TABLES: "information_schema_tables",
  COLUMNS: "information_schema_columns",
};
