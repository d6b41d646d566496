/** The kinds of nodes that the sandbox knows. A statement that has any other one in it is refused, naming the kind. */

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}

/** They mean the same in DuckDB. */
export const plainKinds: ReadonlySet<string> = new Set([
  ...words("select subquery union except intersect values tuple paren table alias column star identifier dot var"),
  ...words("literal boolean null case and or not eq neq lt lte gt gte between in exists any all like i_like is_null"),
  ...words("null_safe_eq null_safe_neq is_true is_false add sub mul neg concat interval extract try_cast cast"),
  ...words("window_function row_number rank dense_rank percent_rank cume_dist n_tile lag lead first_value last_value"),
  ...words("nth_value window_spec ordered"),
  ...words("count sum avg min max count_if median stddev stddev_pop stddev_samp variance any_value"),
  ...words("approx_count_distinct string_agg"),
  ...words("upper lower trim substring coalesce sqrt exp ln log power abs floor ceil starts_with ends_with contains"),
  ...words("str_position year month day hour minute second last_day"),
  ...words(
    "insert update delete merge whens when truncate drop_table drop_view drop_schema create_schema create_table",
  ),
  ...words("create_view alter_table named_argument"),
]);

/** Aggregates that have no kind of their own. */
export const aggregates: Readonly<Record<string, string>> = {
  MAX_BY: "arg_max",
  MIN_BY: "arg_min",
  BOOLAND_AGG: "bool_and",
  BOOLOR_AGG: "bool_or",
  ARG_MAX: "arg_max",
  ARG_MIN: "arg_min",
};

/** Functions that the parser has kinds for, as the functions that they are: its fields in the order of arguments. */
export const functionKinds: Readonly<Record<string, readonly [name: string, ...fields: string[]]>> = {
  if_func: ["IFF", "condition", "true_value", "false_value"],
  nvl: ["NVL", "this", "expression"],
  nvl2: ["NVL2", "this", "true_value", "false_value"],
  length: ["LENGTH", "this"],
  to_json: ["TO_JSON", "this"],
  parse_json: ["PARSE_JSON", "this"],
  array_size: ["ARRAY_SIZE", "this"],
  regexp_like: ["REGEXP_LIKE", "this", "pattern"],
  greatest: ["GREATEST"],
  least: ["LEAST"],
};
