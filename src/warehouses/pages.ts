/** Reads a plan window by window, each with a query of its own: nothing stays open while a page is being sent. */
import type { Database, PageQuery, Row } from "./dialect.ts";

/** How windows are read. */
interface WindowReading {
  readonly read: (sql: string) => Promise<Iterable<Row>>;
  /** Pages that are read by one query. */
  readonly windowPages?: number;
}

/**
 * The pages of a plan as JSON arrays, one value each: text by text, JavaScript would take longer to fetch the rows than
 * to parse them. The next window is read while this one is looked at.
 */
export async function* readPages(
  { plan, change, after, until, pageRows }: PageQuery,
  { read, windowPages = 4 }: WindowReading,
  signal?: AbortSignal,
): AsyncIterable<string> {
  const windowRows = windowPages * pageRows;
  const window = (from: number): Promise<Iterable<Row>> | undefined => {
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
    const pages: Iterable<Row> = await next;
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
  const read: WindowReading["read"] = (sql) => database.session((session) => session.query(sql), { signal });
  return readPages(query, { read }, signal);
}
