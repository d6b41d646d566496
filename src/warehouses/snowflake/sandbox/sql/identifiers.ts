/** Names in the parser's tree. */
import { database, otherSide, schemaInDuckdb } from "./names.ts";
import { asNode, type Fields, identifier, isFields, textField } from "./nodes.ts";
import { quoteInName } from "./text.ts";

/** Whether it is what the parser makes of the name of a table. */
export function isTable(fields: Fields): boolean {
  return isFields(fields["name"]) && "schema" in fields && "catalog" in fields;
}

/** Whether it is what the parser makes of a name. */
export function isIdentifier(fields: Fields): boolean {
  return typeof fields["name"] === "string" && typeof fields["quoted"] === "boolean" && !("args" in fields);
}

/** A name as Snowflake folds it. */
export function foldedName(value: unknown): string {
  const fields = isFields(value) ? value : {};
  const name = (textField(fields, "name") ?? "").replaceAll(quoteInName, '"');
  return fields["quoted"] === true ? name : name.toUpperCase();
}

/** A name as it stands in DuckDB. */
export function folded(fields: Fields): Fields {
  return identifier(otherSide(foldedName(fields)));
}

/** The name of a schema as it stands in DuckDB. */
export function schemaName(parts: readonly unknown[]): readonly Fields[] {
  return [identifier(database), identifier(schemaInDuckdb(foldedName(parts.at(-1))))];
}

/** The first of several, or the only one. */
export function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? (value as readonly unknown[])[0] : value;
}

/** The name at the end of a table's, whatever it is wrapped in. */
export function lastName(value: unknown): string | null {
  if (!isFields(value)) return null;
  if (isIdentifier(value)) return foldedName(value);
  if (isTable(value)) return foldedName(value["name"]);
  const node = asNode(value);
  return node === null ? null : lastName(node.kind === "table" ? node.fields : node.fields["this"]);
}
