/** Rows that leave Snowflake as Parquet files, by way of the user's own stage, which needs no grant. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { WarehouseError } from "../../errors.ts";
import type { PageQuery } from "../dialect.ts";
import { clear, newPlace, type StageSession } from "./stage.ts";
import { newFolder, Workbench } from "./workbench.ts";

/** What a query says as Parquet files in a folder. */
export async function unload(select: string, folder: string, session: StageSession): Promise<void> {
  const stage = newPlace();
  try {
    await session.execute(`copy into ${stage}/ from (${select})
        file_format = (type = parquet) header = true max_file_size = 16777216`);
    await session.query(`get ${stage}/ 'file://${folder}/'`);
  } finally {
    await clear(stage, session);
  }
}

/** Rows of one file whose numbers follow one another, as they stand there. */
interface Stretch {
  readonly file: string;
  readonly from: number;
  readonly to: number;
}

/** The most rows, and about the most bytes, that are taken out of a file at a time. */
const stretchRows = 32_768;
const stretchBytes = 3 * 1024 * 1024;
/** Where stretches have fewer rows than that, all is sorted before it is read. */
const shortStretch = 1000;
/** So few of them may be short. */
const fewStretches = 100;
/**
 * What JavaScript parses of a text of more than 100 kB goes to where garbage stays longest; in smaller pages rows take a
 * third of the memory.
 */
const pageRows = 250;
const pageBytes = 64 * 1024;

/** A plan that was unloaded and is here now: `seq` and `change`, in any number of files and in any order. */
export class UnloadedPlan {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Unloads what a query says, and brings it here. */
  static async from(select: string, session: StageSession): Promise<UnloadedPlan> {
    const folder = await newFolder();
    try {
      await unload(select, folder, session);
      return new UnloadedPlan(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The pages in order of seq, once: each file is gone when it was read. */
  async *pages(
    { after, until, pageRows: most }: Pick<PageQuery, "after" | "until" | "pageRows">,
    signal?: AbortSignal,
  ): AsyncIterable<string> {
    await using workbench = await Workbench.open(this.#folder);
    const width = await averageWidth(workbench, until - after);
    const size = atMost(pageBytes / width, Math.min(pageRows, most));
    const stretches = await inOrder(workbench, until - after, atMost(stretchBytes / width, stretchRows));
    requireAll(stretches, until - after);
    const take = (index: number): Promise<Iterable<string>> => {
      const pages = pagesOf(stretches[index], size, workbench);
      // Its failure is told when its turn comes.
      pages.catch(() => undefined);
      return pages;
    };
    let next = take(0);
    for (const [index, { file }] of stretches.entries()) {
      const pages: Iterable<string> = await next;
      signal?.throwIfAborted();
      // Taken out of its file while this one is looked at.
      next = take(index + 1);
      yield* pages;
      if (stretches[index + 1]?.file !== file && !stretches.slice(index + 1).some((later) => later.file === file))
        await rm(file);
    }
  }
}

/** Bytes of a row. */
async function averageWidth(workbench: Workbench, rows: number): Promise<number> {
  const files = await parquetFiles(workbench);
  if (files.length === 0) return 1;
  const [[bytes] = []] = await workbench.rows(
    `select sum(total_uncompressed_size) from parquet_metadata([${files.map(quoted).join(", ")}])`,
  );
  return Math.max(1, Number(bytes ?? 0) / rows);
}

function atMost(wanted: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(wanted)));
}

/**
 * The stretches of all files by their numbers. Snowflake unloads with several threads, each of them in long stretches;
 * were they short, the whole is sorted first, by way of a file again.
 */
async function inOrder(workbench: Workbench, rows: number, longest: number): Promise<readonly Stretch[]> {
  const found = await stretchesIn(
    workbench,
    longest,
    Math.max(fewStretches, rows / Math.min(shortStretch, longest / 4)),
  );
  if (found !== null) return found;
  const files = await parquetFiles(workbench);
  const sorted = join(workbench.folder, "sorted.parquet");
  await workbench.run(`copy (select seq, change from ${reading(files)} order by seq)
    to ${quoted(sorted)} (format parquet, compression snappy, row_group_size ${Math.max(2048, Math.floor(longest / 4))})`);
  for (const file of files) await rm(file);
  return (await stretchesIn(workbench, longest, Infinity)) ?? [];
}

/** A plan's numbers have no gaps, so it can be told whether every row came. */
function requireAll(stretches: readonly Stretch[], rows: number): void {
  const came = stretches.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (came === rows) return;
  throw new WarehouseError("unload_incomplete", `Of ${rows} rows that Snowflake unloaded, ${came} arrived.`, {
    hint: "Nothing of them was sent. Try again; with a larger unload_rows the driver brings them.",
  });
}

/** The stretches of all files, if they are not more than that and each is whole. */
async function stretchesIn(workbench: Workbench, longest: number, most: number): Promise<readonly Stretch[] | null> {
  const files = await parquetFiles(workbench);
  if (files.length === 0) return [];
  const from = reading(files, "filename = true, file_row_number = true");
  // Of rows that follow one another, number and place in the file differ by the same.
  const found = await workbench.rows(`select filename, min(seq), max(seq), count(*) from ${from}
    group by filename, seq - file_row_number, floor(seq / ${longest}) order by min(seq)
    ${most === Infinity ? "" : `limit ${Math.ceil(most) + 1}`}`);
  const stretches = found.map(([file, min, max]) => ({ file: file ?? "", from: Number(min), to: Number(max) }));
  const whole = stretches.every(({ from: first, to }, index) => Number(found[index]?.[3]) === to - first + 1);
  return whole && stretches.length <= most ? stretches : null;
}

/** So few texts are joined here; of more, each would take longer to fetch than to parse, and DuckDB joins them. */
const fewTexts = 32;

/** A stretch's rows as pages; none after the last stretch. */
async function pagesOf(stretch: Stretch | undefined, size: number, workbench: Workbench): Promise<Iterable<string>> {
  if (stretch === undefined) return [];
  const { file, from, to } = stretch;
  const rows = `from ${reading([file])} where seq >= ${from} and seq <= ${to}`;
  if (size <= fewTexts) return joined(await workbench.texts(`select change ${rows} order by seq`), size);
  return await workbench.texts(`select '[' || string_agg(change, ',' order by seq) || ']' ${rows}
    group by floor((seq - ${from}) / ${size}) order by min(seq)`);
}

function* joined(texts: Iterable<string>, size: number): Iterable<string> {
  let page: string[] = [];
  for (const text of texts) {
    page.push(text);
    if (page.length < size) continue;
    yield `[${page.join(",")}]`;
    page = [];
  }
  if (page.length > 0) yield `[${page.join(",")}]`;
}

async function parquetFiles({ folder }: Workbench): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".parquet")).map((name) => join(folder, name));
}

function reading(files: readonly string[], options?: string): string {
  return `read_parquet([${files.map(quoted).join(", ")}]${options === undefined ? "" : `, ${options}`})`;
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "''")}'`;
}
