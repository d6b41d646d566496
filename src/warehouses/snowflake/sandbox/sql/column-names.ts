/** The names that columns have where a statement gives them none. */
import { Dialect, generate } from "@polyglot-sql/sdk";
import { aliasedAs, asNode, type Fields, identifier, isFields, listField, subqueryNode } from "./nodes.ts";

/** Columns without a name get their text as one, which DuckDB would spell in its own way. */
export function withNamedColumns(kind: string, fields: Fields): Fields {
  if (["union", "except", "intersect"].includes(kind)) {
    const left = asNode(fields["left"]);
    return left === null ? fields : { ...fields, left: { [left.kind]: withNamedColumns(left.kind, left.fields) } };
  }
  if (kind !== "select") return fields;
  const expressions = listField(fields, "expressions").map((expression) => {
    const node = asNode(expression);
    if (node === null || ["alias", "column", "star", "dot"].includes(node.kind)) return expression;
    const [text] = generate([expression], Dialect.Snowflake).sql ?? [];
    return text === undefined
      ? expression
      : aliasedAs({ [node.kind]: node.fields }, { name: inCapitals(text), quoted: true });
  });
  return { ...fields, expressions };
}

/** Rows of VALUES in a FROM have columns of the names column1, column2, … */
export function withNamedValues(from: unknown): unknown {
  if (!isFields(from)) return from;
  const expressions = listField(from, "expressions").map((expression) => {
    const node = asNode(expression);
    if (node?.kind !== "values") return expression;
    const [row] = listField(node.fields, "expressions");
    const names = listField(isFields(row) ? row : {}, "expressions").map((_, index) =>
      identifier(`COLUMN${index + 1}`),
    );
    return subqueryNode(expression, "VALUES", names);
  });
  return { ...from, expressions };
}

/** All but what stands in quotes. */
function inCapitals(sql: string): string {
  return sql.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[^'"]+/g, (part) =>
    /^['"]/.test(part) ? part : part.toUpperCase(),
  );
}
