/** Rows in bulk, as a Parquet file: what goes up to a stage. */
import { join } from "node:path";
import type { AppendColumn, Row } from "../dialect.ts";
import { Workbench } from "./workbench.ts";

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
  workbench: Workbench,
  columns: readonly AppendColumn[],
  first: readonly Row[],
  rest: AsyncIterable<readonly Row[]>,
): Promise<string> {
  const types = { text: "varchar", bigint: "bigint" } as const;
  await workbench.run(`create table rows (${columns.map(({ name, type }) => `${name} ${types[type]}`).join(", ")})`);
  const appender = await workbench.appender("rows");
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
  const file = join(workbench.folder, "rows.parquet");
  await workbench.run(`copy rows to '${file}' (format parquet, compression zstd)`);
  return file;
}
