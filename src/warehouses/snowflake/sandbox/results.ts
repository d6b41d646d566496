/** Answers of DuckDB as Snowflake gives them: the first rows in the answer, the others in chunks of gzipped JSON. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { DuckDBConnection, DuckDBPreparedStatement, DuckDBValue } from "@duckdb/node-api";
import { jsonCell, type RowType, rowType } from "./rowtype.ts";

export type Cells = readonly (string | null)[];

/** A piece of a result that a client fetches by itself. */
export interface Chunk {
  readonly rows: number;
  readonly bytes: number;
  readonly gzipped: Buffer;
}

export interface ResultSet {
  readonly rowtype: readonly RowType[];
  /** The rows that come with the answer. */
  readonly rowset: readonly Cells[];
  readonly chunks: readonly Chunk[];
  readonly total: number;
}

export interface ResultSize {
  readonly inlineRows: number;
  readonly chunkRows: number;
}

const compress = promisify(gzip);
/** No more comes with the answer, or in one chunk, however few rows that is. */
const inlineCharacters = 256 * 1024;
const chunkCharacters = 16 * 1024 * 1024;
/** Compressing chunks that wait, beside the one that is being filled. */
const chunksInWork = 2;

/** A result that is no query's: a few rows of texts. */
export function smallResult(rowtype: readonly RowType[], rowset: readonly Cells[]): ResultSet {
  return { rowtype, rowset, chunks: [], total: rowset.length };
}

/** The columns of a query, without running it. */
export async function describe(connection: DuckDBConnection, sql: string): Promise<readonly RowType[]> {
  const prepared = await connection.prepare(sql);
  try {
    return columnsOf(prepared).map(({ name, type }) => rowType(name, type));
  } finally {
    prepared.destroySync();
  }
}

/** Runs a query. DuckDB writes the JSON of the rows, so that none of them is ever an object here. */
export async function runQuery(connection: DuckDBConnection, sql: string, size: ResultSize): Promise<ResultSet> {
  const prepared = await connection.prepare(sql);
  const columns = columnsOf(prepared);
  prepared.destroySync();
  const cells = columns.map(({ type }, index) => jsonCell(`c${index}`, type));
  const names = columns.map((_, index) => `c${index}`).join(", ");
  const rows = `select concat('[', ${cells.join(", ',', ")}, ']') from (${sql}\n) as answer(${names})`;
  const writer = new ChunkWriter(size);
  const stream = await connection.stream(rows);
  for (let chunk = await stream.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await stream.fetchChunk()) {
    await writer.add(chunk.getColumnValues(0));
  }
  const { rowset, chunks } = await writer.end();
  const total = rowset.length + chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  return { rowtype: columns.map(({ name, type }) => rowType(name, type)), rowset, chunks, total };
}

function columnsOf(prepared: DuckDBPreparedStatement) {
  return Array.from({ length: prepared.columnCount }, (_, index) => ({
    name: prepared.columnName(index),
    type: prepared.columnType(index),
  }));
}

/** Rows of JSON as they come, put where they belong. */
class ChunkWriter {
  readonly #size: ResultSize;
  readonly #inline: string[] = [];
  readonly #chunks: Promise<Chunk>[] = [];
  #rows: string[] = [];
  #characters = 0;

  constructor(size: ResultSize) {
    this.#size = size;
  }

  /** Each value is a row's JSON. */
  async add(rows: readonly DuckDBValue[]): Promise<void> {
    for (const value of rows) {
      const row = String(value);
      const within = this.#chunks.length === 0 && this.#rows.length === 0 && this.#characters < inlineCharacters;
      if (within && this.#inline.length < this.#size.inlineRows) this.#inline.push(row);
      else this.#rows.push(row);
      this.#characters = this.#rows.length === 1 ? row.length : this.#characters + row.length;
      if (this.#rows.length >= this.#size.chunkRows || (this.#rows.length > 0 && this.#characters > chunkCharacters))
        await this.#close();
    }
  }

  async end(): Promise<{ rowset: readonly Cells[]; chunks: readonly Chunk[] }> {
    if (this.#rows.length > 0) await this.#close();
    return { rowset: JSON.parse(`[${this.#inline.join(",")}]`) as Cells[], chunks: await Promise.all(this.#chunks) };
  }

  async #close(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    const text = Buffer.from(rows.join(","));
    this.#chunks.push(
      compress(text, { level: 1 }).then((gzipped) => ({ rows: rows.length, bytes: text.length, gzipped })),
    );
    await this.#chunks.at(-1 - chunksInWork);
  }
}
