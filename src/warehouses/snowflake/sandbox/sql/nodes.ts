/** The parser's tree: nodes are objects with one field, named after their kind; the rest is what they are made of. */
import { ast } from "@polyglot-sql/sdk";

export type Fields = Readonly<Record<string, unknown>>;

export interface Node {
  readonly kind: string;
  readonly fields: Fields;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as a node; null if it is none. */
export function asNode(value: unknown): Node | null {
  if (!isFields(value) || !ast.isExpressionValue(value)) return null;
  const [[kind, fields] = ["", {}]] = Object.entries(value);
  return { kind, fields: isFields(fields) ? fields : {} };
}

export function textField(fields: Fields, name: string): string | null {
  const value = fields[name];
  return typeof value === "string" ? value : null;
}

export function numberField(fields: Fields, name: string): number | null {
  const value = fields[name];
  return typeof value === "number" ? value : null;
}

export function listField(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

export function call(name: string, ...args: readonly unknown[]): Fields {
  const plain = { distinct: false, trailing_comments: [], use_bracket_syntax: false, no_parens: false, quoted: false };
  return { function: { name, args, ...plain } };
}

export function textNode(value: string): Fields {
  return { literal: { literal_type: "string", value } };
}

export function numberNode(value: number | string): Fields {
  return { literal: { literal_type: "number", value: String(value) } };
}

export const nullNode: Fields = { null: null };

export function identifier(name: string): Fields {
  return { name, quoted: true, trailing_comments: [], span: null };
}

/** The text of a literal; null if the node is none. */
export function literalText(value: unknown): string | null {
  const node = asNode(value);
  if (node?.kind !== "literal" || node.fields["literal_type"] !== "string") return null;
  return textField(node.fields, "value");
}

/** What a literal says, of whatever type; null if the node is none. */
export function literalValue(value: unknown): string | null {
  const node = asNode(value);
  return node?.kind === "literal" ? textField(node.fields, "value") : null;
}

/** A word, quoted or not, as in DATEADD(day, …) and DATEADD('day', …). */
export function word(value: unknown): string | null {
  const text = literalText(value);
  if (text !== null) return text;
  const node = asNode(value);
  if (node?.kind === "var") return textField(node.fields, "this");
  const name = node?.kind === "column" ? node.fields["name"] : undefined;
  return isFields(name) ? textField(name, "name") : null;
}

/** A column's name as an expression. */
export function columnNode(name: string): Fields {
  return { column: { name: identifier(name), table: null, join_mark: false, trailing_comments: [], span: null } };
}

/** An expression or table under another name. */
export function aliasedAs(value: unknown, alias: Fields): Fields {
  return { alias: { this: value, alias, column_aliases: [], pre_alias_comments: [], trailing_comments: [] } };
}

/** What the parser makes of a table's name. */
export function tableFields(name: Fields): Fields {
  return {
    name,
    schema: null,
    catalog: null,
    alias: null,
    alias_explicit_as: false,
    column_aliases: [],
    trailing_comments: [],
    when: null,
    only: false,
    final_: false,
    hints: [],
  };
}

/** A query or rows in brackets, with names for its columns. */
export function subqueryNode(inner: unknown, name: string, columns: readonly Fields[]): Fields {
  const named = { alias: identifier(name), column_aliases: columns, alias_explicit_as: true, alias_keyword: "as" };
  const nothing = { order_by: null, limit: null, offset: null, lateral: false, modifiers_inside: false };
  return { subquery: { this: inner, ...named, ...nothing, trailing_comments: [] } };
}
