/** Writes one batch to a tab: reads it, applies everything in one request, and reads it again to see what became of it. */
import { type Batch, DestinationError, type Operation, type Outcome } from "../../src/destination.ts";
import { outcomesByContent, outcomesByKey, repairOf } from "./answers.ts";
import type { SheetsApi } from "./api.ts";
import { intentOf, requestsOf, type Sent } from "./requests.ts";
import { type Table, tableIn } from "./table.ts";

/** What writing to a tab needs. */
export interface TabContext {
  readonly api: SheetsApi;
  readonly sheetId: number;
  readonly headerRow: number;
  readonly signal: AbortSignal | undefined;
}

const operations: readonly Operation[] = ["upsert", "update", "insert", "append", "delete", "clear"];

/** Writes a batch by its operation. */
export async function writeRows(batch: Batch, context: TabContext): Promise<readonly Outcome[]> {
  const { operation, match, object } = batch;
  if (!operations.includes(operation) || (match.length === 0 && operation !== "append"))
    throw refused("operation_unsupported", `A tab knows no ${operation} by ${match.join(" and ") || "nothing"}.`);
  const before = await readTable(object, context);
  const missing = match.find((name) => !before.columns.has(name));
  // Without its column no row is found, and every row would be added again. All rows would be refused alike.
  if (missing !== undefined) throw columnMissing(object, missing);
  const { sent, outcomes } = intentOf(batch, before);
  if (sent.length === 0) return outcomes;
  const requests = requestsOf(sent, context.sheetId);
  // A row that is there, of a sync that maps its key only, needs nothing; Google refuses a request for nothing.
  if (requests.length > 0) await context.api.apply(requests, context.signal);
  return [...outcomes, ...(await outcomesAfter(sent, batch, before, context))];
}

/** From here on the write is done: what cannot be seen is in doubt, and no failure may have it sent again blindly. */
async function outcomesAfter(
  sent: readonly Sent[],
  { operation, match, object }: Batch,
  before: Table,
  context: TabContext,
): Promise<readonly Outcome[]> {
  try {
    const after = await readTable(object, context);
    if (operation === "append") return outcomesByContent(sent, before, after);
    const outcomes = outcomesByKey(sent, after, match);
    const { sheetId, api, signal } = context;
    const { requests, keys } = repairOf(sent, { before, after, match, sheetId });
    if (requests.length === 0) return outcomes;
    await api.apply(requests, signal);
    const words = `Rows of the tab moved during the write and it hit others, which were put back: ${keys.slice(0, 10).join(", ")}.`;
    return outcomes.map((one) => (one.kind === "in_doubt" ? { ...one, message: words } : one));
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    const message = `It was written, but could not be looked at or put right afterwards: ${error.message}`;
    return sent.map(({ seq }) => ({ seq, kind: "in_doubt", message }));
  }
}

async function readTable(tab: string, { api, headerRow, signal }: TabContext): Promise<Table> {
  return tableIn(await api.cells(tab, signal), headerRow);
}

function columnMissing(tab: string, column: string): DestinationError {
  const message = `The tab "${tab}" has no column "${column}" to find rows by, or two: its header was renamed or repeated.`;
  return new DestinationError("unauthorized", message, { code: "column_missing", applied: "no", field: column });
}

function refused(code: string, message: string): DestinationError {
  return new DestinationError("refused", message, { code, applied: "no" });
}
