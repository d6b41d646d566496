/** Rows as Parquet, compressed with zstd, each column in the type that it is declared with. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DestinationError } from "../../src/destination.ts";
import type { ColumnType } from "./cells.ts";
import type { FileRows } from "./rows.ts";

const types: Readonly<Record<ColumnType, string>> = {
  text: "varchar",
  number: "double",
  integer: "bigint",
  boolean: "boolean",
  date: "date",
  datetime: "timestamptz",
  json: "json",
};

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** By DuckDB in memory, which writes to files only. */
export async function toParquet({ columns, rows }: FileRows): Promise<Uint8Array> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const folder = await mkdtemp(join(tmpdir(), "sluice-parquet-"));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "256MB" });
  try {
    const connection = await instance.connect();
    await connection.run("set timezone = 'UTC'");
    await connection.run(`create table cells (${columns.map((_, at) => `c${at} varchar`).join(", ")})`);
    const appender = await connection.createAppender("cells");
    for (const cells of rows) {
      for (const cell of cells) {
        if (cell === null) appender.appendNull();
        else appender.appendVarchar(cell);
      }
      appender.endRow();
    }
    appender.closeSync();
    const selected = columns.map(({ name, type }, at) => `cast(c${at} as ${types[type]}) as ${quote(name)}`);
    const path = join(folder, "rows.parquet");
    const target = `'${path.replaceAll("'", "''")}' (format parquet, compression zstd)`;
    await connection.run(`copy (select ${selected.join(", ")} from cells) to ${target}`);
    connection.closeSync();
    return await readFile(path);
  } catch (error) {
    // A day that there is not, such as the 31st of February: it stands alone in the end.
    const message = `The rows cannot be written as Parquet: ${error instanceof Error ? error.message : String(error)}`;
    throw new DestinationError("refused", message, { code: "parquet_failed", applied: "no" });
  } finally {
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}
