/** The demo's warehouse: a DuckDB file, or the Snowflake sandbox over one. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Face } from "./face.ts";

export type DemoSource = "duckdb" | "snowflake";

export interface OpenWarehouse extends AsyncDisposable {
  /** What it is, for people. */
  readonly title: string;
  /** What its source document takes from the environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** Runs DuckDB's SQL as the owner of the data. */
  execute(sql: string): Promise<void>;
  /** The answer to DuckDB's SQL, every value as text. */
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

/** Opens the warehouse over a DuckDB file, which is made where it is missing. */
export function openWarehouse(source: DemoSource, file: string, face: Face): Promise<OpenWarehouse> {
  return source === "snowflake" ? serveSnowflake(file, face) : Promise.resolve(duckdbFile(file));
}

async function serveSnowflake(file: string, face: Face): Promise<OpenWarehouse> {
  const served = await face.serveWarehouse("snowflake", { port: 0, database: file });
  return {
    title: `a Snowflake sandbox at ${served.url}`,
    variables: { DEMO_WAREHOUSE: served.url, SNOWFLAKE_TOKEN: "demo-token" },
    execute: (sql) => served.run(sql),
    query: (sql) => served.query(sql),
    [Symbol.asyncDispose]: () => served.close(),
  };
}

function duckdbFile(file: string): OpenWarehouse {
  return {
    title: "DuckDB",
    variables: { DEMO_WAREHOUSE: file },
    execute: (sql) => visit(file, async (connection) => void (await connection.run(sql))),
    query: (sql) =>
      visit(file, async (connection) =>
        (await connection.runAndReadAll(sql))
          .getRows()
          .map((row) => row.map((value) => (value === null ? null : String(value)))),
      ),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Works in the file as whoever else writes to it would: on an instance of its own, closed afterwards. */
async function visit<Result>(path: string, work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
  const instance = await DuckDBInstance.create(path, { threads: "2" });
  try {
    const connection = await instance.connect();
    const result = await work(connection);
    connection.closeSync();
    return result;
  } finally {
    instance.closeSync();
  }
}
