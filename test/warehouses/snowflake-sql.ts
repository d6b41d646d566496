/** Is a statement Snowflake SQL? Two parsers that know nothing of each other are asked. */
import { Dialect, parse as parseWithPolyglot } from "@polyglot-sql/sdk";
import { init, parse as parseWithSqlparser } from "@guanmingchiu/sqlparser-ts";

await init();

/** What each parser says against a statement; empty when both take it. */
export function complaints(statement: string): readonly string[] {
  return [
    ...(knownGaps.polyglot.some((gap) => gap.test(statement)) ? [] : polyglot(statement)),
    ...(knownGaps.sqlparser.some((gap) => gap.test(statement)) ? [] : sqlparser(statement)),
    ...lacking.filter(([, pattern]) => pattern.test(statement)).map(([name]) => `Snowflake has no ${name}`),
  ];
}

/** What Snowflake takes and a parser has not learned; the other one is asked all the same. */
const knownGaps = {
  polyglot: [/^grant select on (all|future) /, / with managed access /],
  sqlparser: [
    /^grant usage, create table on schema /,
    / with managed access /,
    /^(put|get) /,
    /from \(select \$1:\w+::/,
  ],
};

/** Constructs that a parser would let pass. */
const lacking: readonly (readonly [string, RegExp])[] = [
  ["WHEN NOT MATCHED BY SOURCE", /not matched by source/i],
  ["MATERIALIZED common table expressions", /as materialized/i],
  ["FILTER (WHERE …) on aggregates", /\) filter \(where/i],
  ["RETURNING", /\breturning\b/i],
  ["DISTINCT ON", /distinct on \(/i],
];

function polyglot(statement: string): readonly string[] {
  const parsed = parseWithPolyglot(statement, Dialect.Snowflake);
  return parsed.success ? [] : [`polyglot: ${String(parsed.error)}`];
}

function sqlparser(statement: string): readonly string[] {
  try {
    parseWithSqlparser(statement, "snowflake");
    return [];
  } catch (error) {
    return [`sqlparser: ${String(error)}`];
  }
}
