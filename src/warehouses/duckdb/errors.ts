/** What DuckDB says, told in terms of the source. */
import { messageOf, WarehouseError } from "../../errors.ts";
import { withholdFromQuote, withholdNumbers, withholdQuoted } from "../withhold.ts";

/** Keeps DuckDB's words, but for the values of rows that it quotes, and adds a code and what to do. */
export function warehouseError(error: unknown): WarehouseError {
  if (error instanceof WarehouseError) return error;
  const words = messageOf(error);
  const known = kinds.find(({ says }) => says.test(words));
  if (known !== undefined) {
    return new WarehouseError(known.code, `DuckDB says: ${words}`, { hint: known.hint, cause: error });
  }
  if (aboutSql.test(words)) return new WarehouseError("sql_error", `DuckDB says: ${words}`, { cause: error });
  // Its cause would repeat the value.
  return new WarehouseError("sql_error", `DuckDB says: ${withoutValues(words)}`);
}

/** What DuckDB says before it has read a row, or of files and memory. */
const aboutSql =
  /^(Parser|Syntax|Binder|Catalog|Dependency|Not implemented|Permission|IO|HTTP|Connection|INTERRUPT|Out of Memory|Missing Extension) Error:/;

/** Of an error that data made. Below its first line come the SQL, the whole line of a file, or the rest of the value. */
function withoutValues(words: string): string {
  const told = words.slice(0, endOf(words)).replaceAll("can't", "cannot");
  const column = / when casting from source column [^\n]*$/.exec(told)?.[0] ?? "";
  const [line = "", ...below] = told.slice(0, told.length - column.length).split("\n");
  if (/^\w+ Error: CSV Error on Line: \d+$/.test(line)) return line;
  const unquoted = below.length > 0 ? withholdFromQuote(line) : withholdQuoted(line);
  return withholdNumbers(withholdTail(unquoted)) + column;
}

function endOf(words: string): number {
  const sql = words.lastIndexOf("\n\nLINE ");
  return sql === -1 ? words.length : sql;
}

/** Some values stand without quotation marks behind a colon, as in "Invalid input for hex digit: K". */
function withholdTail(words: string): string {
  return words.replace(/^((?:Conversion|Invalid Input) Error: [^":]*: )[^"].*$/, "$1…").replace(/"…": .*$/, '"…"');
}

/** Another process has the file open. DuckDB says which. */
export function lockedError(path: string, error: unknown): WarehouseError {
  const holder = /held in (.+? \(PID \d+\))/.exec(messageOf(error))?.[1] ?? "another process";
  return new WarehouseError(
    "database_locked",
    `${path} is open in ${holder}; only one process at a time can have it open.`,
    {
      hint: "Close it there, then try again.",
      cause: error,
    },
  );
}

/** A statement was interrupted because it took too long. */
export function timeoutError(timeoutMs: number, cause: unknown): WarehouseError {
  return new WarehouseError("statement_timeout", `DuckDB did not finish a statement in ${timeoutMs / 1000} s.`, {
    hint: "Make the model cheaper, or raise statement_timeout_seconds in the source's connection.",
    cause,
  });
}

const kinds = [
  {
    says: /^Catalog Error: (Table|View|Schema|Catalog)[^]*does not exist|^Binder Error: Catalog "[^"]*" does not exist/,
    code: "table_not_found",
    hint: "Check the name of the table, and that the path leads to the right database file.",
  },
  {
    says: /^Binder Error: Referenced column/,
    code: "column_not_found",
    hint: "Check the names of columns in the SQL, the key and the filter.",
  },
  {
    says: /^Permission Error: [^]*(file system operations are disabled|configuration|extension)/,
    code: "external_access_off",
    hint: "The SQL reaches beyond the database. If that is meant, say external_access: true in the source's connection.",
  },
  {
    says: /^Out of Memory Error/,
    code: "out_of_memory",
    hint: "Raise memory_limit in the source's connection, or in its planner where that is local.",
  },
  {
    says: /^IO Error: Cannot open (database|file)|^IO Error: [^]*(No such file|Permission denied|not a valid DuckDB)/,
    code: "database_unreadable",
    hint: "Check the path of the database file and the rights of the process.",
  },
];
