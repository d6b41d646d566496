/** What is said in another way in DuckDB: casts, ordered aggregates, paths into JSON. */
import { unknownToSandbox } from "../failure.ts";
import { cast } from "./functions.ts";
import { asNode, call, type Fields, isFields, listField, literalText, textField, textNode } from "./nodes.ts";
import { asText } from "./texts.ts";

/** A cast whose inside and type are translated. */
export function castNode(kind: string, inner: Fields): unknown {
  const type = isFields(inner["to"]) ? textField(inner["to"], "name") : null;
  if (type === "VARCHAR") return asText(inner["this"]);
  if (type === "JSON" && kind === "cast") return call("to_json", inner["this"]);
  if (type === "BLOB" && kind === "cast") return call("sf_binary", inner["this"]);
  if (type === "TIMESTAMPTZ" && literalText(inner["this"]) !== null) {
    // Snowflake lets a blank stand before the offset.
    const text = (literalText(inner["this"]) ?? "").replace(/ ([+-]\d\d:?\d\d)$/, "$1");
    return { [kind]: { ...inner, this: textNode(text) } };
  }
  // A JSON text such as "5" in quotes is a number all the same.
  const value = asNode(inner["this"])?.fields["name"] === "sf_get" ? call("sf_text", inner["this"]) : inner["this"];
  return kind === "cast" ? cast(value, type ?? "") : { try_cast: { ...inner, this: value } };
}

/** LISTAGG and ARRAY_AGG leave nulls out and give something for no rows. */
export function orderedAggregate(value: unknown, order: readonly unknown[]): unknown {
  const node = asNode(value);
  if (node?.kind === "list_agg") {
    const separator = node.fields["separator"] ?? textNode("");
    const orderBy = order.length > 0 ? order : node.fields["order_by"];
    const text = call("coalesce", { list_agg: { ...node.fields, separator, order_by: orderBy } }, textNode(""));
    return call("sf_bounded", text);
  }
  if (node?.kind === "array_agg") {
    const present = { not: { this: { is_null: { this: node.fields["this"], not: false, postfix_form: false } } } };
    const aggregate = { array_agg: { ...node.fields, order_by: order, filter: present } };
    return call(
      "to_json",
      call("coalesce", aggregate, { array_func: { expressions: [], bracket_notation: true, use_list_keyword: false } }),
    );
  }
  // Its own translation has wrapped it, and the order still has to go inside.
  const [inner] = node?.kind === "function" ? listField(node.fields, "args") : [];
  if (inner !== undefined && asNode(inner) !== null) {
    const again = orderedAggregate(inner, order);
    return asNode(again)?.kind === "function" ? again : value;
  }
  throw unknownToSandbox("WITHIN GROUP but for LISTAGG and ARRAY_AGG");
}

/** `a.b[0]` and `["A b"]` as DuckDB's path of JSON. */
export function jsonPath(path: string): string {
  const steps = [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)];
  return `$${steps.map(([, quoted, index, plain]) => (index === undefined ? `."${quoted ?? plain ?? ""}"` : `[${index}]`)).join("")}`;
}

/** The path of JSON that an index in brackets means. */
export function itemPath(index: unknown): string {
  const name = literalText(index);
  if (name !== null) return `$."${name}"`;
  const number = asNode(index)?.fields["value"];
  if (typeof number !== "string") throw unknownToSandbox("an item of a VARIANT that is not given as a literal");
  return `$[${number}]`;
}
