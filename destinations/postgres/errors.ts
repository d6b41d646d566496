/** What Postgres says, by the class of its SQLSTATE. */
import pg from "pg";
import { DestinationError, type DestinationErrorKind } from "../../src/destination.ts";

/** The first that fits decides. What is left is about the rows: 22 (values), 23 (constraints), 42, a trigger's P0001. */
const kinds: readonly (readonly [states: RegExp, kind: DestinationErrorKind])[] = [
  [/^(28|3D|42501)/, "unauthorized"],
  // A lock, a deadlock, no room for another connection: the same again, a little later.
  [/^(40|55P03|53300|53400)/, "busy"],
  // A replica, a server that starts or stops, a full disk, a defect of the server's.
  [/^(08|25|26|53|55000|57|58|F0|XX)/, "unavailable"],
];

/** What certainly was not committed, although it was COMMIT that failed: a constraint or a conflict that was found then. */
const foundAtCommit = /^(2|40001|40P01|40002)/;

export type Phase = "before commit" | "at commit";

/** The failure of a transaction. Whatever failed before COMMIT was sent is undone by the server. */
export function failureOf(error: unknown, phase: Phase): DestinationError {
  if (error instanceof DestinationError) return error;
  if (!(error instanceof pg.DatabaseError)) return brokenOff(error, phase);
  const { code = "XX000", column } = error;
  const kind = kinds.find(([states]) => states.test(code))?.[1] ?? "refused";
  const applied = phase === "at commit" && !foundAtCommit.test(code) ? "unknown" : "no";
  const certain = applied === "unknown" ? "unavailable" : kind;
  // The cause is not told: it repeats the statement's values.
  return new DestinationError(certain, `Postgres says: ${wordsOf(error)}`, { code, applied, field: column });
}

/** The driver's own words where a login comes to nothing: no password, or a server that does not prove that it knows it. */
const loginFailed = /^(SASL|SCRAM)/;

function brokenOff(error: unknown, phase: Phase): DestinationError {
  const words = error instanceof Error ? error.message : String(error);
  if (loginFailed.test(words))
    return new DestinationError("unauthorized", `The login failed: ${words}`, { code: "login_failed", applied: "no" });
  const applied = phase === "at commit" ? "unknown" : "no";
  return new DestinationError("unavailable", `The connection to Postgres broke off: ${words}`, {
    code: "unreachable",
    applied,
  });
}

/** The detail of a broken key names the key; that of other constraints repeats the whole row. */
function wordsOf({ code = "", message, detail, hint }: pg.DatabaseError): string {
  const shown = /^23(503|505|P01)$/.test(code) ? detail : undefined;
  return [message, shown, hint].filter((part) => part !== undefined).join(". ");
}
