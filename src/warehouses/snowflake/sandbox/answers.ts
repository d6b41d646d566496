/** What is said over HTTP: the envelopes that the driver opens. */
import type { Executed } from "./executed.ts";
import type { SnowflakeFailure } from "./failure.ts";
import type { Query } from "./queries.ts";
import type { Session } from "./session.ts";

export type Body = Readonly<Record<string, unknown>>;

export function success(data: unknown): Body {
  return { data, code: null, message: null, success: true };
}

export function failed({ code, sqlState, message }: SnowflakeFailure, queryId: string | null = null): Body {
  const data = {
    internalError: false,
    errorCode: code,
    sqlState,
    queryId,
    age: 0,
    line: -1,
    pos: -1,
    type: "COMPILATION",
  };
  return { data, code, message, success: false, headers: null };
}

/** The statement still runs: the client asks again at the address that it is given. */
export function inProgress({ id, session }: Query, asynchronous: boolean): Body {
  const data = {
    queryId: id,
    getResultUrl: `/queries/${id}/result`,
    queryAbortsAfterSecs: 300,
    progressDesc: null,
    ...finalPlace(session),
  };
  const message = `Query execution in progress. Please provide query ID to check for result.`;
  return { data, code: asynchronous ? "333334" : "333333", message, success: true };
}

/** A query's answer: its first rows, and where the others are. */
export function answered(
  { result, statementType, transfer }: Executed,
  query: Query,
  chunks: { url: string; key: string },
): Body {
  const { rowtype, rowset, total } = result;
  const data = {
    parameters: parameters(query.session),
    rowtype,
    rowset,
    total,
    returned: total,
    queryId: query.id,
    databaseProvider: null,
    ...finalPlace(query.session),
    numberOfBinds: 0,
    arrayBindSupported: /^\s*insert/i.test(query.sql),
    statementTypeId: statementType,
    version: 1,
    sendResultTime: Date.now(),
    queryResultFormat: "json",
    ...(result.chunks.length > 0
      ? {
          chunkHeaders: { "x-sandbox-key": chunks.key },
          chunks: result.chunks.map(({ rows, bytes, gzipped }, index) => ({
            url: `${chunks.url}/_chunks/${query.id}/${index}`,
            rowCount: rows,
            uncompressedSize: bytes,
            compressedSize: gzipped.length,
          })),
        }
      : {}),
    ...transfer,
  };
  return success(data);
}

/** Parameters that the driver reads: how moments are written, and that binds come with the statement. */
export function parameters(
  session: Session,
): readonly { readonly name: string; readonly value: string | number | boolean }[] {
  const values: Readonly<Record<string, string | number | boolean>> = {
    TIMEZONE: "UTC",
    DATE_OUTPUT_FORMAT: "YYYY-MM-DD",
    TIME_OUTPUT_FORMAT: "HH24:MI:SS",
    TIMESTAMP_OUTPUT_FORMAT: "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
    TIMESTAMP_NTZ_OUTPUT_FORMAT: "YYYY-MM-DD HH24:MI:SS.FF3",
    TIMESTAMP_LTZ_OUTPUT_FORMAT: "",
    TIMESTAMP_TZ_OUTPUT_FORMAT: "",
    BINARY_OUTPUT_FORMAT: "HEX",
    CLIENT_STAGE_ARRAY_BINDING_THRESHOLD: 0,
    CLIENT_SESSION_KEEP_ALIVE: false,
    QUERY_CONTEXT_CACHE_SIZE: 5,
  };
  const own = ["DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"].flatMap((type) => {
    const name = `${type}_OUTPUT_FORMAT`;
    const value = session.parameters.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.entries({ ...values, ...Object.fromEntries(own) }).map(([name, value]) => ({ name, value }));
}

export function finalPlace({ place }: Session): Body {
  return {
    finalDatabaseName: place.database,
    finalSchemaName: place.schema,
    finalWarehouseName: place.warehouse,
    finalRoleName: place.role,
  };
}

/** The JSON of a request; nothing is an empty object. */
export function inJson(body: unknown): unknown {
  return typeof body === "string" && body !== "" ? JSON.parse(body) : {};
}
