/** What Postgres says, told in terms of the source. */
import pg from "pg";
import { messageOf, WarehouseError } from "../../errors.ts";
import { withholdNumbers, withholdQuoted } from "../withhold.ts";

/**
 * Keeps the server's words, but for the values of rows that it quotes, and adds a code and what to do. The error of the
 * driver is not told as the cause: it repeats them.
 */
export function warehouseError(error: unknown): WarehouseError {
  if (error instanceof WarehouseError) return error;
  if (!(error instanceof pg.DatabaseError)) return unreachable(error);
  const { code = "" } = error;
  const known = kinds.find(({ states }) => states.test(code));
  const words = `Postgres says: ${wordsOf(error)}`;
  return known === undefined
    ? new WarehouseError("sql_error", words)
    : new WarehouseError(known.code, words, { hint: known.hint });
}

function unreachable(error: unknown): WarehouseError {
  return new WarehouseError("unreachable", `Postgres could not be reached: ${messageOf(error)}`, {
    hint: "Check host, port and network, and that the server is running.",
    cause: error,
  });
}

function wordsOf(error: pg.DatabaseError): string {
  const { code = "", message, detail, hint, position } = error;
  if (isRaised(error)) return raisedBy(error);
  if (code.startsWith("23")) return sentences(message, keyOf(error), hint);
  // Names that stand in the SQL have a position. Those that do not are texts of rows, taken for names: cast to regclass.
  const isOfData = /^(22|54000|HV)/.test(code) || (code.startsWith("42") && position === undefined);
  if (!isOfData) return sentences(message, detail, hint);
  return sentences(withholdNumbers(withholdQuoted(message)), detailOfData(error), hint);
}

/** Whether a function wrote the message, in words that nobody else knows. */
function isRaised({ code = "", where = "" }: pg.DatabaseError): boolean {
  return /^(P0001|P0004|38|39)/.test(code) || /\b(RAISE|ASSERT)$/m.test(where);
}

function raisedBy({ code = "", where = "" }: pg.DatabaseError): string {
  const name = /\S+(?=\([^)\n]*\) )/.exec(where)?.[0] ?? "that the SQL calls";
  return `The function ${name} failed with ${code}. What it said is left out: it may hold values of rows`;
}

/** Of a key that is there twice or not at all, its columns. Of other constraints the detail is the whole row. */
function keyOf({ code = "", detail = "" }: pg.DatabaseError): string | undefined {
  const isOfKey = /^23(503|505|P01)$/.test(code) && detail.includes("=(");
  return isOfKey ? detail.replace(/=\([^]*\)/, "=(…)") : undefined;
}

/** What a number or a JSON lacks. Of other data, XML for one, the detail may be the value itself. */
function detailOfData({ code = "", detail }: pg.DatabaseError): string | undefined {
  if (code === "22003") return detail;
  return /^22P0[25]$/.test(code) && detail !== undefined ? withholdQuoted(detail) : undefined;
}

function sentences(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(". ");
}

const kinds = [
  {
    states: /^(42P01|3F000)$/,
    code: "table_not_found",
    hint: "Check the name of the table, and that the role may use its schema.",
  },
  {
    states: /^42703$/,
    code: "column_not_found",
    hint: "Check the names of columns in the SQL, the key and the filter. Names are compared with their case.",
  },
  {
    states: /^42501$/,
    code: "permission_denied",
    hint: "Grant the role what it lacks: USAGE on the schema, SELECT on the table.",
  },
  { states: /^28|^3D000$/, code: "unauthorized", hint: "Check user, password and the name of the database." },
  {
    states: /^57014$/,
    code: "statement_timeout",
    hint: "Make the model cheaper, or raise statement_timeout_seconds in the source's connection.",
  },
  { states: /^(08|57P)/, code: "unreachable", hint: "The server ended the connection; try again." },
  { states: /^25006$/, code: "model_writes", hint: "A model may only read." },
];
