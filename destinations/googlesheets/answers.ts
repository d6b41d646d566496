/** What a tab shows after a write → outcomes, and the rows of others that the write hit. Pure. */
import type { Outcome } from "../../src/destination.ts";
import { appendRequest, cellRequests, type Sent, type SheetRequest } from "./requests.ts";
import { type Cell, cellAt, rowsByKey, shows, type Table } from "./table.ts";

/** A change is accepted when the row with its key shows it: by key, wherever the row stands by now. */
export function outcomesByKey(sent: readonly Sent[], after: Table, match: readonly string[]): readonly Outcome[] {
  const rows = rowsByKey(after, match);
  return sent.map(({ seq, key, wanted }) => {
    const [row, another] = rows.get(key) ?? [];
    const isDone = wanted === undefined ? row === undefined : row !== undefined && !another && shows(row, wanted);
    return isDone ? { seq, kind: "accepted" } : { seq, kind: "in_doubt", message: unshown };
  });
}

const unshown =
  "The tab does not show it after the write: somebody sorted, moved or edited rows meanwhile. The next run sends it again.";

/** Appended rows have no key: each is accepted for one row that shows it and did not before. */
export function outcomesByContent(sent: readonly Sent[], before: Table, after: Table): readonly Outcome[] {
  const taken = new Set<number>();
  const spare = new Map<string, number>();
  return sent.map(({ seq, wanted = new Map<number, Cell>() }) => {
    const content = JSON.stringify([...wanted]);
    // As many rows as showed the same before are not this write's.
    const old = spare.get(content) ?? before.rows.filter((row) => shows(row, wanted)).length;
    spare.set(content, old);
    const alike = after.rows.filter((row) => shows(row, wanted)).slice(old);
    const row = alike.find(({ index }) => !taken.has(index));
    if (!row) return { seq, kind: "in_doubt", message: unshown };
    taken.add(row.index);
    return { seq, kind: "accepted" };
  });
}

/** What puts back the rows of others that a write hit, because rows moved between reading and writing. */
export interface Repair {
  readonly requests: readonly SheetRequest[];
  /** Keys of the rows, for people. */
  readonly keys: readonly string[];
}

/** Compares the tab before and after by key. Only what this very write can have done is put back, never an edit. */
export function repairOf(
  sent: readonly Sent[],
  { before, after, match, sheetId }: { before: Table; after: Table; match: readonly string[]; sheetId: number },
): Repair {
  const now = rowsByKey(after, match);
  const strays = sent.filter(({ key, wanted, row }) => {
    const [present] = now.get(key) ?? [];
    return row !== undefined && (wanted ? !present || !shows(present, wanted) : present !== undefined);
  });
  const requests: SheetRequest[] = [];
  const keys: string[] = [];
  if (strays.length === 0) return { requests, keys };
  // What is done stays; what strayed is put back too where another's write hit it, and is sent again.
  const done = new Set(sent.filter((one) => !strays.includes(one)).map(({ key }) => key));
  const deleted = strays.some(({ wanted }) => wanted === undefined);
  for (const [key, [old]] of rowsByKey(before, match)) {
    if (!old || done.has(key)) continue;
    const [row] = now.get(key) ?? [];
    const stray = strays.find(({ wanted }) => row && wanted && shows(row, wanted) && !shows(old, wanted));
    if (row && stray?.wanted) {
      const former = new Map([...stray.wanted.keys()].map((column) => [column, cellAt(old, column)]));
      requests.push(...cellRequests(sheetId, row.index, former));
    } else if (!row && deleted) {
      requests.push(appendRequest(sheetId, [new Map(old.cells.map((cell, column) => [column, cell]))]));
    } else continue;
    keys.push(key);
  }
  return { requests, keys };
}
