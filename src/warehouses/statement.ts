/**
 * A model's SQL, embedded in a statement of ours. It is its author's own power, bounded by the role's grants; what is
 * made sure here is that it stays inside its parentheses and is one statement. The warehouse's own refusal of several
 * statements is the second wall.
 */
import { WarehouseError } from "../errors.ts";
import type { SqlText } from "./dialect.ts";

/** SQL in parentheses that it cannot leave. The line breaks keep a trailing comment from swallowing the bracket. */
export function enclose(sql: string, rules: SqlText): string {
  return `(\n${oneStatement(sql, rules)}\n)`;
}

/** One token that may hide a bracket or a semicolon, or is one. */
function tokens({ backslashEscapes, slashComments }: SqlText): RegExp {
  return new RegExp(
    [
      slashComments ? String.raw`(?:--|//)[^\n]*` : String.raw`--[^\n]*`,
      String.raw`(?<comment>/\*)`,
      backslashEscapes ? String.raw`'(?:[^'\\]|''|\\[^])*'` : String.raw`\b[eE]'(?:[^'\\]|''|\\[^])*'`,
      String.raw`'(?:[^']|'')*'`,
      String.raw`"(?:[^"]|"")*"`,
      String.raw`(?<dollar>(?<![\w$])\$(?:[\p{L}_][\p{L}\d_]*)?\$)`,
      String.raw`(?<mark>['"();])`,
    ].join("|"),
    "gu",
  );
}

/** The statement without its closing semicolon. Throws unless it is exactly one, with every bracket and quote closed. */
export function oneStatement(sql: string, rules: SqlText): string {
  if (sql.includes("\0")) throw refusal("has a NUL character in it");
  const end = endOfStatement(sql, tokens(rules));
  if (!isBlank(sql.slice(end + 1), rules)) throw refusal("is more than one statement");
  const statement = sql.slice(0, end);
  if (isBlank(statement, rules)) throw refusal("is empty");
  return statement;
}

/** Where the first semicolon stands, or where the text ends. */
function endOfStatement(sql: string, token: RegExp): number {
  let depth = 0;
  for (let found = token.exec(sql); found !== null; found = token.exec(sql)) {
    const { comment, dollar, mark } = found.groups ?? {};
    if (comment !== undefined) token.lastIndex = endOfComment(sql, found.index);
    if (dollar !== undefined) token.lastIndex = endOfDollars(sql, found.index, dollar);
    if (mark === "'" || mark === '"') throw refusal("has a quotation mark without its partner");
    if (mark === "(") depth += 1;
    if (mark === ")") depth -= 1;
    if (depth < 0) throw refusal("closes a bracket that it did not open");
    if (mark === ";" && depth > 0) break;
    if (mark === ";") return found.index;
  }
  if (depth > 0) throw refusal("opens a bracket that it does not close");
  return sql.length;
}

function isBlank(sql: string, { slashComments }: SqlText): boolean {
  const comments = slashComments ? /(?:--|\/\/)[^\n]*|\/\*[^]*?\*\//g : /--[^\n]*|\/\*[^]*?\*\//g;
  return sql.replaceAll(comments, "").trim() === "";
}

function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  throw refusal("has a comment that is not closed");
}

function endOfDollars(sql: string, start: number, tag: string): number {
  const end = sql.indexOf(tag, start + tag.length);
  if (end === -1) throw refusal(`has a text that begins with ${tag} and does not end`);
  return end + tag.length;
}

function refusal(fault: string): WarehouseError {
  return new WarehouseError("not_one_statement", `The SQL ${fault}.`, {
    hint: "Write one SELECT statement (or, in a filter, one condition) with all its brackets and quotes closed.",
  });
}
