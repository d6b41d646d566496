/** What a statement changes of the session alone: where it is, and its parameters. */
import { compilationError, syntaxError, unknownToSandbox } from "./failure.ts";
import type { Session } from "./session.ts";
import { nameParts } from "./sql/names.ts";
import { settings } from "./sql/text.ts";

/** Parameters whose value changes what statements do, with the values that the sandbox can do. */
const only: Readonly<Record<string, RegExp>> = {
  AUTOCOMMIT: /^(true|false)$/i,
  TIMEZONE: /^(UTC|Etc\/UTC|GMT)$/i,
  MULTI_STATEMENT_COUNT: /^1$/,
};

/** They may be anything: what they are for does not happen here, or is asked for when it does. */
const known = new Set(
  `QUERY_TAG STATEMENT_TIMEOUT_IN_SECONDS STATEMENT_QUEUED_TIMEOUT_IN_SECONDS LOCK_TIMEOUT TIMESTAMP_TYPE_MAPPING WEEK_START
  WEEK_OF_YEAR_POLICY BINARY_OUTPUT_FORMAT BINARY_INPUT_FORMAT STRICT_JSON_OUTPUT ERROR_ON_NONDETERMINISTIC_MERGE
  ERROR_ON_NONDETERMINISTIC_UPDATE ABORT_DETACHED_QUERY DATE_OUTPUT_FORMAT TIME_OUTPUT_FORMAT TIMESTAMP_OUTPUT_FORMAT
  TIMESTAMP_NTZ_OUTPUT_FORMAT TIMESTAMP_LTZ_OUTPUT_FORMAT TIMESTAMP_TZ_OUTPUT_FORMAT CLIENT_SESSION_KEEP_ALIVE
  CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY USE_CACHED_RESULT JSON_INDENT ROWS_PER_RESULTSET`.split(/\s+/),
);

/** Runs an ALTER SESSION. */
export function alterSession(sql: string, session: Session): void {
  const [, verb = "", rest = ""] = /^alter\s+session\s+(set|unset)\s+(.*)$/is.exec(sql) ?? [];
  if (/^unset$/i.test(verb)) {
    for (const name of rest.split(/[\s,]+/)) session.parameters.delete(name.toUpperCase());
    return;
  }
  const given = settings(rest);
  if (verb === "" || given.size === 0) throw syntaxError("ALTER SESSION wants SET name = value");
  for (const [name, value] of given) setParameter(session, name, value);
}

/** Sets a parameter of a session. Refuses, by its name, what the sandbox would have to do and does not. */
export function setParameter(session: Session, name: string, value: string): void {
  const possible = only[name];
  if (possible === undefined && !known.has(name)) {
    throw compilationError("000904", "42000", `invalid parameter '${name}', or none that the sandbox knows`);
  }
  if (possible?.test(value) === false) throw unknownToSandbox(`${name} = ${value}`);
  session.parameters.set(name, value);
}

/** Runs a USE. */
export async function use(sql: string, session: Session, schemas: () => Promise<ReadonlySet<string>>): Promise<void> {
  const [, kind = "", written = ""] =
    /^use\s+(?:(role|warehouse|database|schema|secondary\s+roles)\s+)?(\S+)/i.exec(sql) ?? [];
  const names = nameParts(written);
  const last = names.at(-1);
  if (last === undefined) throw syntaxError("USE wants a name");
  switch (kind.toLowerCase()) {
    case "role":
      return await session.moveTo({ role: last });
    case "warehouse":
      return await session.moveTo({ warehouse: last });
    case "database":
      return await session.moveTo({ database: last, schema: "PUBLIC" });
    case "schema":
    case "": {
      if (kind === "" && names.length === 1) return await session.moveTo({ database: last, schema: "PUBLIC" });
      if (!(await schemas()).has(last)) {
        throw compilationError("002043", "02000", "Object does not exist, or operation cannot be performed.");
      }
      const [above] = names.slice(-2, -1);
      return await session.moveTo({ schema: last, ...(above === undefined ? {} : { database: above }) });
    }
  }
}
