/** A DuckDB of one's own for a while, with a folder for its files. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBAppender, type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import { messageOf, WarehouseError } from "../../errors.ts";
import type { Row } from "../dialect.ts";

/** What does not fit goes to files in the folder. */
const memoryLimit = "96MB";

export class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #running = new Set<Promise<unknown>>();

  private constructor(folder: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.folder = folder;
    this.#instance = instance;
    this.#connection = connection;
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
    return new Workbench(own, instance, await instance.connect());
  }

  async run(sql: string): Promise<void> {
    await this.#until(this.#connection.run(sql));
  }

  /** An answer with every value as text. */
  async rows(sql: string): Promise<readonly Row[]> {
    const rows = (await this.#until(this.#connection.runAndReadAll(sql))).getRows();
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  }

  /**
   * An answer of large texts, one a row. Each is made when its turn comes and is garbage soon after, which costs least;
   * what DuckDB holds of them is given back after the last one.
   */
  async texts(sql: string): Promise<Iterable<string>> {
    return await this.#until(this.#chunks(sql).then(textsIn));
  }

  async #chunks(sql: string): Promise<readonly DuckDBDataChunk[]> {
    return await (await this.#connection.stream(sql)).fetchAllChunks();
  }

  appender(table: string): Promise<DuckDBAppender> {
    return this.#connection.createAppender(table);
  }

  /** What is still running ends before the files go. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.interrupt();
    await Promise.allSettled(this.#running);
    this.#connection.closeSync();
    this.#instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #until<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    try {
      return await work;
    } catch (error) {
      if (!messageOf(error).startsWith("Out of Memory")) throw error;
      throw new WarehouseError("out_of_memory", `DuckDB needed more than ${memoryLimit} for rows that are unloaded.`, {
        hint: "Select fewer or smaller columns, or raise unload_rows in the source's connection: the driver brings the rows then.",
        cause: error,
      });
    } finally {
      this.#running.delete(work);
    }
  }
}

function* textsIn(chunks: readonly DuckDBDataChunk[]): Iterable<string> {
  for (const chunk of chunks) {
    const texts = chunk.getColumnVector(0);
    for (let row = 0; row < chunk.rowCount; row += 1) yield String(texts.getItem(row));
    chunk.reset();
  }
}

export function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "sluice-snowflake-"));
}
