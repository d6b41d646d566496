/** A DuckDB of one's own for a while, with a folder for its files. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBAppender, type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import type { Row } from "../dialect.ts";

/** What does not fit goes to files in the folder. */
const memoryLimit = "96MB";

export class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly #instance: DuckDBInstance;
  /** Two, for what is to go on side by side: a connection does one thing after the other. */
  readonly #connections: readonly [DuckDBConnection, DuckDBConnection];
  readonly #running = new Set<Promise<unknown>>();

  private constructor(
    folder: string,
    instance: DuckDBInstance,
    connections: readonly [DuckDBConnection, DuckDBConnection],
  ) {
    this.folder = folder;
    this.#instance = instance;
    this.#connections = connections;
  }

  /** Opens one in a folder, which is gone afterwards; by default a new one. */
  static async open(folder?: string): Promise<Workbench> {
    const own = folder ?? (await newFolder());
    const instance = await DuckDBInstance.create(":memory:", {
      memory_limit: memoryLimit,
      temp_directory: join(own, "spill"),
      // Each thread that reads Parquet holds a row group.
      threads: "1",
      // Memory that it has done with goes back soon, not when there is much of it; and no file is read again.
      allocator_flush_threshold: "16MB",
      allocator_bulk_deallocation_flush_threshold: "16MB",
      enable_external_file_cache: "false",
    });
    return new Workbench(own, instance, [await instance.connect(), await instance.connect()]);
  }

  async run(sql: string): Promise<void> {
    await this.#until(this.#connections[0].run(sql));
  }

  /** Runs beside what else is asked. */
  async runBeside(sql: string): Promise<void> {
    await this.#until(this.#connections[1].run(sql));
  }

  /** An answer with every value as text. */
  async rows(sql: string): Promise<readonly Row[]> {
    const rows = (await this.#until(this.#connections[0].runAndReadAll(sql))).getRows();
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  }

  /**
   * An answer of large texts, one a row. Each is made when its turn comes and is garbage soon after, which costs least;
   * what DuckDB holds of them is given back after the last one.
   */
  async texts(sql: string): Promise<Iterable<Row>> {
    return await this.#until(this.#chunks(sql).then(textsIn));
  }

  async #chunks(sql: string): Promise<readonly DuckDBDataChunk[]> {
    return await (await this.#connections[0].stream(sql)).fetchAllChunks();
  }

  appender(table: string): Promise<DuckDBAppender> {
    return this.#connections[0].createAppender(table);
  }

  /** What is still running ends before the files go. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.interrupt();
    await Promise.allSettled(this.#running);
    for (const connection of this.#connections) connection.closeSync();
    this.#instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #until<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }
}

function* textsIn(chunks: readonly DuckDBDataChunk[]): Iterable<Row> {
  for (const chunk of chunks) {
    const texts = chunk.getColumnVector(0);
    for (let row = 0; row < chunk.rowCount; row += 1) yield [texts.getItem(row) as string | null];
    chunk.reset();
  }
}

export function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "sluice-snowflake-"));
}
