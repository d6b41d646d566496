/** Reads a plan window by window, each with a query of its own: nothing stays open while a page is being sent. */
import type { Database, PageQuery, Row } from "./dialect.ts";

/** Pages that are read by one query. */
const windowPages = 4;

/**
 * The pages of a plan as JSON arrays, one value each: text by text, JavaScript would take longer to fetch the rows than
 * to parse them. The next window is read while this one is looked at.
 */
export async function* readPages(
  { plan, change, after, until, pageRows }: PageQuery,
  read: (sql: string) => Promise<readonly Row[]>,
  signal?: AbortSignal,
): AsyncIterable<string> {
  const windowRows = windowPages * pageRows;
  const window = (from: number): Promise<readonly Row[]> | undefined => {
    if (from >= until) return undefined;
    const pages = read(`select '[' || string_agg(${change}, ',' order by seq) || ']' from ${plan}
      where seq > ${from} and seq <= ${Math.min(from + windowRows, until)}
      group by floor((seq - ${from} - 1) / ${pageRows}) order by min(seq)`);
    // Its failure is told when its turn comes.
    pages.catch(() => undefined);
    return pages;
  };
  let next = window(after);
  for (let from = after; next !== undefined; from += windowRows) {
    const pages: readonly Row[] = await next;
    signal?.throwIfAborted();
    next = window(from + windowRows);
    for (const [page] of pages) if (page != null) yield page;
  }
}

/** Pages of a plan that is read in sessions. */
export function pagesBySeq(
  database: Pick<Database, "session">,
  query: PageQuery,
  signal?: AbortSignal,
): AsyncIterable<string> {
  return readPages(query, (sql) => database.session((session) => session.query(sql), { signal }), signal);
}
