/** A short-lived DuckDB in memory, with a folder of its own for what does not fit and for files on their way. */
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AppendColumn, Row, Session } from "../dialect.ts";
import type { DuckdbDatabase } from "../duckdb/database.ts";
import { duckdbDialect } from "../duckdb/dialect.ts";

export interface ScratchOptions {
  /** Where scratch folders are made. What a killed process left there goes a day later. */
  readonly folder: string;
  /** How much memory DuckDB may use, as it writes it: `256MB`. */
  readonly memoryLimit: string;
}

export interface Scratch {
  readonly database: DuckdbDatabase;
  readonly session: Session;
  readonly folder: string;
}

const leftOverMs = 24 * 3_600_000;

/** Rows that one part of what is taken in has: small enough for memory, large enough to be worth a file. */
const partRows = 200_000;

/** Works in a scratch database, which is gone with all its files when the work has ended. */
export async function inScratch<T>(
  options: ScratchOptions,
  work: (scratch: Scratch) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await using opened = await openScratch(options);
  const { database, folder } = opened;
  return await database.session((session) => work({ database, session, folder }), { signal });
}

/** A scratch database whose sessions are the caller's to open. */
export async function openScratch({
  folder: parent,
  memoryLimit,
}: ScratchOptions): Promise<Omit<Scratch, "session"> & AsyncDisposable> {
  await mkdir(parent, { recursive: true });
  await removeLeftOvers(parent);
  const folder = await mkdtemp(join(parent, "scratch-"));
  const spillFolder = join(folder, "spill");
  // Imported late, for it is large, and most warehouses keep their own plans.
  const { DuckdbDatabase } = await import("../duckdb/database.ts");
  const database = new DuckdbDatabase({
    path: ":memory:",
    memoryLimit,
    threads: undefined,
    lockWaitMs: 0,
    spillFolder,
    anyOrder: true,
  });
  return {
    database,
    folder,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function removeLeftOvers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith("scratch-")) continue;
    const folder = join(parent, name);
    const found = await stat(folder).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > leftOverMs) await rm(folder, { recursive: true, force: true });
  }
}

export interface TakenColumn extends AppendColumn {
  /** What is kept of it, as SQL. Default: the value as it came. */
  readonly as?: string;
}

/**
 * Takes rows in, part by part, so that memory stays flat however many they are. Returns what to read them from: the
 * named table, or the Parquet files that they went to.
 */
export async function takeIn(
  name: string,
  columns: readonly TakenColumn[],
  pages: AsyncIterable<readonly Row[]>,
  { session, folder }: Scratch,
): Promise<string> {
  const kept = columns.map((column) => `${column.as ?? column.name} as ${column.name}`).join(", ");
  const source = pages[Symbol.asyncIterator]();
  let parts = 0;
  for (let ended = false; !ended;) {
    await session.execute(
      `create or replace table arriving (${columns.map((one) => `${one.name} ${one.type}`).join(", ")})`,
    );
    const part = onePart(source, () => (ended = true));
    await session.append("arriving", columns, part);
    if (ended && parts === 0) {
      await session.execute(`create or replace table ${name} as select ${kept} from arriving`);
      await session.execute("drop table arriving");
      return name;
    }
    const file = join(folder, `${name}-${(parts += 1)}.parquet`);
    await session.execute(`copy (select ${kept} from arriving) to ${path(file)} (format parquet)`);
  }
  await session.execute("drop table arriving");
  return parquet(...Array.from({ length: parts }, (_, index) => join(folder, `${name}-${index + 1}.parquet`)));
}

async function* onePart(source: AsyncIterator<readonly Row[]>, onEnd: () => void): AsyncIterable<readonly Row[]> {
  for (let rows = 0; rows < partRows;) {
    const next = await source.next();
    if (next.done === true) return onEnd();
    rows += next.value.length;
    yield next.value;
  }
}

/** Parquet files, as a table in SQL. */
export function parquet(...files: readonly string[]): string {
  return `read_parquet([${files.map(path).join(", ")}])`;
}

function path(file: string): string {
  return duckdbDialect.literal(file);
}
