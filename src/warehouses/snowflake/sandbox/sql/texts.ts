/**
 * What is a text by the tree alone. A macro that looks at the type of its argument repeats it for each type that it
 * knows, so those of nested macros multiply: DuckDB took ten times as long to bind a planner's statement as to run it.
 */
import { asNode, call, type Fields, isFields, listField, literalText, textField } from "./nodes.ts";
import { typeNode } from "./types.ts";

/** Functions of DuckDB's that give texts, whatever their arguments are. */
const textFunctions = new Set(
  `sf_text sf_to_json sf_bounded sf_replace hex md5 sha1 sha256 printf format strftime lpad rpad ltrim rtrim replace repeat
  translate chr split_part`.split(/\s+/),
);

const binaryFunctions = new Set(["sf_md5_binary", "sf_sha2_binary", "unhex"]);

/** A value, translated already, as a text. */
export function asText(value: unknown): Fields {
  if (literalText(value) !== null) {
    return { cast: { this: value, to: typeNode("VARCHAR"), trailing_comments: [], double_colon_syntax: false } };
  }
  if (isFields(value) && isText(value)) return value;
  if (binaryFunctions.has(functionName(value))) return call("hex", value);
  return call("sf_text", value);
}

/** The length of a value, translated already: in characters, of a binary in bytes. */
export function lengthOf(value: unknown): Fields {
  return call(isText(value) ? "length" : "sf_length", value);
}

function isText(value: unknown): boolean {
  const node = asNode(value);
  if (node === null) return false;
  const { kind, fields } = node;
  switch (kind) {
    case "literal":
      return literalText(value) !== null;
    case "function":
      return textFunctions.has(functionName(value));
    case "concat":
      return isText(fields["left"]) || isText(fields["right"]);
    case "coalesce":
      return listField(fields, "expressions").every(isText);
    case "paren":
      return isText(fields["this"]);
    case "upper":
    case "lower":
    case "trim":
      return true;
    case "cast":
      return isFields(fields["to"]) && textField(fields["to"], "name") === "VARCHAR";
    default:
      return false;
  }
}

function functionName(value: unknown): string {
  const node = asNode(value);
  return node?.kind === "function" ? (textField(node.fields, "name") ?? "").toLowerCase() : "";
}
