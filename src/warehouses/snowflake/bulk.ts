/** Rows in bulk, as Parquet files: what goes up to a stage, and what came down from one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { AppendColumn, PageQuery, Row, Session } from "../dialect.ts";
import { readPages } from "../pages.ts";

/** DuckDB writes and reads the files; what does not fit goes to its own files beside them. */
const memoryLimit = "96MB";

class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;

  private constructor(folder: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.folder = folder;
    this.#instance = instance;
    this.connection = connection;
  }

  static async open(): Promise<Workbench> {
    const folder = await mkdtemp(join(tmpdir(), "sluice-snowflake-"));
    const instance = await DuckDBInstance.create(join(folder, "rows.duckdb"), {
      memory_limit: memoryLimit,
      temp_directory: join(folder, "spill"),
      // Each thread that reads Parquet holds a row group.
      threads: "1",
      preserve_insertion_order: "false",
    });
    return new Workbench(folder, instance, await instance.connect());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.#instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export type Upload = AsyncDisposable & ({ readonly rows: readonly Row[] } | { readonly file: string });

/** The pages as rows when they are few, else as a Parquet file that is there until it is disposed of. */
export async function parquetOf(
  columns: readonly AppendColumn[],
  pages: AsyncIterable<readonly Row[]>,
  fewRows: number,
): Promise<Upload> {
  const iterator = pages[Symbol.asyncIterator]();
  const rows: Row[] = [];
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) return { rows, [Symbol.asyncDispose]: () => Promise.resolve() };
    rows.push(...value);
    if (rows.length > fewRows) break;
  }
  const workbench = await Workbench.open();
  try {
    const file = await writeParquet(workbench, columns, rows, { [Symbol.asyncIterator]: () => iterator });
    return { file, [Symbol.asyncDispose]: () => workbench[Symbol.asyncDispose]() };
  } catch (error) {
    await workbench[Symbol.asyncDispose]();
    throw error;
  }
}

async function writeParquet(
  { connection, folder }: Workbench,
  columns: readonly AppendColumn[],
  first: readonly Row[],
  rest: AsyncIterable<readonly Row[]>,
): Promise<string> {
  const types = { text: "varchar", bigint: "bigint" } as const;
  await connection.run(`create table rows (${columns.map(({ name, type }) => `${name} ${types[type]}`).join(", ")})`);
  const appender = await connection.createAppender("rows");
  const append = (row: Row): void => {
    columns.forEach(({ type }, index) => {
      const value = row[index];
      if (value == null) appender.appendNull();
      else if (type === "bigint") appender.appendBigInt(BigInt(value));
      else appender.appendVarchar(value);
    });
    appender.endRow();
  };
  first.forEach(append);
  for await (const page of rest) page.forEach(append);
  appender.closeSync();
  const file = join(folder, "rows.parquet");
  await connection.run(`copy rows to '${file}' (format parquet, compression zstd)`);
  return file;
}

/** What unloading needs of a session. */
export interface StageSession extends Pick<Session, "query" | "execute"> {
  settled(sql: string): Promise<void>;
}

/** What a query says as Parquet files in a folder, by way of the user's own stage, which needs no grant. */
export async function unload(select: string, folder: string, session: StageSession): Promise<void> {
  const stage = `@~/sluice/${crypto.randomUUID()}`;
  try {
    await session.execute(`copy into ${stage}/ from (${select})
        file_format = (type = parquet) header = true max_file_size = 16777216`);
    await session.query(`get ${stage}/ 'file://${folder}/'`);
  } finally {
    await session.settled(`remove ${stage}/`).catch(() => undefined);
  }
}

/** Rows that were unloaded and are here now, in order of seq. */
export class Unloaded {
  readonly #workbench: Workbench;

  private constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  /** Unloads what a query says, and brings it here. */
  static async from(select: string, session: StageSession): Promise<Unloaded> {
    const workbench = await Workbench.open();
    try {
      await unload(select, workbench.folder, session);
      await workbench.connection.run(
        `create table rows as select * from read_parquet('${join(workbench.folder, "*.parquet")}')`,
      );
      return new Unloaded(workbench);
    } catch (error) {
      await workbench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sorted window by window: a plan lies there mostly in order, and sorting the whole of it would take its size in memory. */
  pages(query: PageQuery, signal?: AbortSignal): AsyncIterable<string> {
    return readPages({ ...query, plan: "rows", change: "change" }, (sql) => this.#read(sql), signal);
  }

  async #read(sql: string): Promise<readonly Row[]> {
    const rows = (await this.#workbench.connection.runAndReadAll(sql)).getRows();
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  }

  async close(): Promise<void> {
    await this.#workbench[Symbol.asyncDispose]();
  }
}
