/** What Snowflake and its driver say, told in terms of the source. */
import { WarehouseError } from "../../errors.ts";
import type { Failure } from "./protocol.ts";

/** Keeps Snowflake's words, but for the values of rows that it quotes, and adds a code and what to do. */
export function warehouseError({ message, code, sqlState }: Failure): WarehouseError {
  const known = kinds.find(({ codes }) => codes.test(code));
  const told = message.trim().replaceAll(/\s*\n\s*/g, " ");
  const words = /^0*100\d{3}$/.test(code) ? withoutValues(told) : told;
  if (known !== undefined) return new WarehouseError(known.code, `Snowflake says: ${words}`, { hint: known.hint });
  if (sqlState !== "" && sqlState !== "08001") return new WarehouseError("sql_error", `Snowflake says: ${words}`);
  return new WarehouseError("unreachable", `Snowflake could not be reached: ${words}`, {
    hint: "Check the account, the network and status.snowflake.com.",
  });
}

/** Of an error that data made. A value may have quotes in it, so all from the first to the last one goes. */
function withoutValues(words: string): string {
  return words
    .replace(/(parsing JSON|row values?):.*$/i, "$1: …")
    .replace(/'.*'/, "'…'")
    .replace(/".*"/, '"…"');
}

/** By Snowflake's number of the error, or the driver's (6 digits from 40). */
const kinds = [
  {
    codes: /^0*2003$|^0*2043$/,
    code: "table_not_found",
    hint: "Check the name, and the role's grants: USAGE on database and schema, SELECT on the table.",
  },
  {
    codes: /^0*904$/,
    code: "column_not_found",
    hint: "Check the names of columns in the SQL, the key and the filter.",
  },
  {
    codes: /^0*3001$|^0*3540$/,
    code: "not_granted",
    hint: 'Run "sluice grants" for the exact SQL that the role needs.',
  },
  {
    codes: /^0*(604|630|639)$/,
    code: "statement_timeout",
    hint: "Make the model cheaper, use a larger warehouse, or raise statement_timeout_seconds in the source's connection.",
  },
  {
    codes: /^(39010[0-3]|39014[0-9]|390186|390189|390190|390191|390195|390201|390303|390318|390422|394\d{3}|404\d{3})$/,
    code: "unauthorized",
    hint: "Check account, username and credential, and that the user has the role.",
  },
  {
    codes: /^390(104|111|112|114)$|^40700[12]$|^401004$/,
    code: "session_ended",
    hint: "Try again: a new session is opened.",
  },
  { codes: /^0*606$/, code: "no_warehouse", hint: "Set warehouse in the source's connection, and grant its USAGE." },
];
