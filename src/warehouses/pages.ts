/** Reads a plan page by page, each with a query of its own: nothing stays open while a page is being sent. */
import type { Database, PageQuery, Row } from "./dialect.ts";

export async function* pagesBySeq(
  database: Pick<Database, "session">,
  { plan, change, after, until, pageRows }: PageQuery,
  signal?: AbortSignal,
): AsyncIterable<readonly Row[]> {
  for (let from = after; from < until; from += pageRows) {
    signal?.throwIfAborted();
    const page = `select ${change} from ${plan}
      where seq > ${from} and seq <= ${Math.min(from + pageRows, until)} order by seq`;
    yield await database.session((session) => session.query(page), { signal });
  }
}
