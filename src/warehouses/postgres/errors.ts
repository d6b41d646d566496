/** What Postgres says, told in terms of the source. */
import pg from "pg";
import { messageOf, WarehouseError } from "../../errors.ts";

/** Keeps the server's words and adds a code and what to do. */
export function warehouseError(error: unknown): WarehouseError {
  if (error instanceof WarehouseError) return error;
  const state = stateOf(error);
  const known = kinds.find(({ states }) => states.test(state));
  const words = error instanceof pg.DatabaseError ? wordsOf(error) : messageOf(error);
  if (known !== undefined) {
    return new WarehouseError(known.code, `Postgres says: ${words}`, { hint: known.hint, cause: error });
  }
  if (error instanceof pg.DatabaseError) {
    return new WarehouseError("sql_error", `Postgres says: ${words}`, { cause: error });
  }
  return new WarehouseError("unreachable", `Postgres could not be reached: ${words}`, {
    hint: "Check host, port and network, and that the server is running.",
    cause: error,
  });
}

function stateOf(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? "") : "";
}

function wordsOf({ message, detail, hint }: pg.DatabaseError): string {
  return [message, detail, hint].filter((part) => part !== undefined).join(". ");
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
