/**
 * Jobs of Bulk API 2.0: a table is uploaded, Salesforce works it off in its own time, and tells what became of each row in
 * further tables. Nothing is applied before the upload is declared complete.
 */
import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type Batch, type Change, DestinationError, type Outcome } from "../../src/destination.ts";
import { type SalesforceApi } from "./api.ts";
import { afterApplied, beforeApplied, parseAnswer } from "./errors.ts";
import { identity, toValue } from "./fields.ts";
import { type RecordsContext, writeRecords } from "./records.ts";
import { cellOf, outcomesOfJob, parseResults, toCsv } from "./table.ts";

/** The records of a job; those of other operations are sent as collections. */
export const jobRecords = 10_000;
/** Fewer records than a collection takes are written by one: a job takes a request for each step, and longer. */
export const collectionRecords = 200;

/** Writes a batch of any size: as a job where it is large, else as collections. */
export async function writeBulk(batch: Batch, context: RecordsContext): Promise<readonly Outcome[]> {
  const { operation, changes } = batch;
  const byJob = operation === "upsert" || operation === "insert";
  if (!byJob || changes.length <= collectionRecords || context.matchField.name === "Id")
    return writeRecords(batch, context);
  const [twins, single] = splitTwins(changes, context);
  const rows = new Map(single.map((change) => [change, rowOf(change, context)]));
  const sendable = single.flatMap((change) => rows.get(change) ?? []);
  const others = single.filter((change) => rows.get(change) === null);
  const outcomes: Outcome[] = [...twins];
  for (let at = 0; at < others.length; at += collectionRecords) {
    const slice = { ...batch, changes: others.slice(at, at + collectionRecords) };
    outcomes.push(...(await (at > 0 ? afterApplied(writeRecords(slice, context)) : writeRecords(slice, context))));
  }
  if (sendable.length === 0) return outcomes;
  const job = runJob(batch, sendable, context);
  return [...outcomes, ...(await (others.length > 0 ? afterApplied(job, operation === "upsert") : job))];
}

interface Row {
  readonly seq: number;
  /** What the row is found by in the results. */
  readonly value: string;
  readonly cells: Readonly<Record<string, string>>;
}

/** A change as a row; null for one that must be written by id, or has a value that no cell can hold. */
function rowOf({ seq, record, match, renamed, destinationId }: Change, context: RecordsContext): Row | null {
  if (renamed && destinationId !== undefined) return null;
  const { types, matchField } = context;
  const values = Object.entries({ ...record, ...match }).filter(([name]) => name !== "Id");
  const cells = values.map(([name, value]) => [name, cellOf(toValue(value, types.get(name)))] as const);
  const value = cells.find(([name]) => name === matchField.name)?.[1];
  if (value === undefined || cells.some(([, cell]) => cell === undefined)) return null;
  return { seq, value, cells: Object.fromEntries(cells.map(([name, cell]) => [name, cell ?? ""])) };
}

/** Rows that are one record for Salesforce: of those the last one would be kept, without a word. */
function splitTwins(
  changes: readonly Change[],
  { matchField }: RecordsContext,
): readonly [twins: readonly Outcome[], single: readonly Change[]] {
  const groups = [...Map.groupBy(changes, ({ match }) => identity(match[matchField.name], matchField)).values()];
  const twins = groups.filter(({ length }) => length > 1).flat();
  const refused = twins.map(({ seq }): Outcome => {
    const message = `Another row has the same ${matchField.name} but for its case. None of them was sent.`;
    return { seq, kind: "rejected", code: "DUPLICATE_VALUE", message, field: matchField.name };
  });
  return [refused, groups.filter(({ length }) => length === 1).flat()];
}

const jobSchema = z.object({
  id: z.string().regex(/^\w+$/),
  state: z.string(),
  errorMessage: z.string().nullish(),
});

type Job = z.output<typeof jobSchema>;

async function runJob(batch: Batch, rows: readonly Row[], context: RecordsContext): Promise<readonly Outcome[]> {
  const { api, matchField, signal } = context;
  const id = await beforeApplied(upload(batch, rows, context));
  const seqs = rows.map(({ seq }) => seq);
  await batch.onJob?.({ handle: handleOf(id, matchField.name, rows), seqs });
  await setState(id, "UploadComplete", context);
  const bySent = new Map(rows.map(({ value, seq }) => [value, seq]));
  const { job, outcomes } = await afterApplied(resultOf(id, matchField.name, (value) => bySent.get(value), context));
  // Nothing of it was worked off: smaller batches are refused row by row, or are small enough to go another way.
  if (job.state === "Failed" && outcomes.length === 0 && (await isUntouched(id, rows.length, api, signal)))
    throw new DestinationError("refused", `Salesforce's job ${id} failed: ${job.errorMessage ?? "it says no reason"}`, {
      code: "job_failed",
      applied: "no",
    });
  const told = new Set(outcomes.map(({ seq }) => seq));
  const untold = seqs
    .filter((seq) => !told.has(seq))
    .map((seq): Outcome => {
      const message = `Salesforce's job ${id} ended as ${job.state} and does not show what became of the record. ${job.errorMessage ?? ""}`;
      return { seq, kind: "in_doubt", message: message.trim() };
    });
  return [...outcomes, ...untold];
}

async function upload(batch: Batch, rows: readonly Row[], context: RecordsContext): Promise<string> {
  const { api, matchField, signal } = context;
  const asked = {
    object: batch.object,
    operation: batch.operation,
    contentType: "CSV",
    lineEnding: "LF",
    ...(batch.operation === "upsert" ? { externalIdFieldName: matchField.name } : {}),
  };
  const { id } = parseAnswer(jobSchema, (await api.call("POST", "/jobs/ingest", asked, signal)).body);
  try {
    await api.sendTable(`/jobs/ingest/${id}/batches`, toCsv(rows.map(({ cells }) => cells)), signal);
  } catch (error) {
    // An open job counts against the org until it is seven days old.
    await setState(id, "Aborted", context).catch(() => undefined);
    throw error;
  }
  return id;
}

async function setState(
  id: string,
  state: "UploadComplete" | "Aborted",
  { api, signal }: Pick<RecordsContext, "api" | "signal">,
): Promise<void> {
  await api.call("PATCH", `/jobs/ingest/${id}`, { state }, signal);
}

/** How long to wait before each look, an hour in all. */
const waitsMs: readonly number[] = [200, 500, 1000, 2000, 5000, ...Array<number>(360).fill(10_000)];

/** Waits for a job's end and reads its results. One that takes too long is ended, so that it cannot apply older values later. */
async function resultOf(
  id: string,
  field: string,
  seqOf: (value: string) => number | undefined,
  asking: Pick<RecordsContext, "api" | "signal">,
): Promise<{ readonly job: Job; readonly outcomes: readonly Outcome[] }> {
  const { api, signal } = asking;
  let job = await endOf(id, asking);
  if (!isOver(job)) {
    await setState(id, "Aborted", asking);
    job = { ...job, state: "Aborted", errorMessage: "It took longer than an hour." };
  }
  const successful = parseResults(await api.readTable(`/jobs/ingest/${id}/successfulResults`, signal));
  const failed = parseResults(await api.readTable(`/jobs/ingest/${id}/failedResults`, signal));
  return { job, outcomes: outcomesOfJob({ successful, failed }, field, seqOf) };
}

function isOver({ state }: Job): boolean {
  return state === "JobComplete" || state === "Failed" || state === "Aborted";
}

async function endOf(id: string, { api, signal }: Pick<RecordsContext, "api" | "signal">): Promise<Job> {
  let job: Job = { id, state: "InProgress" };
  for (const waitMs of waitsMs) {
    await pause(waitMs, signal);
    try {
      job = parseAnswer(jobSchema, (await api.call("GET", `/jobs/ingest/${id}`, undefined, signal)).body);
    } catch (error) {
      // A look that fails tells nothing; the job goes on.
      if (!(error instanceof DestinationError) || (error.kind !== "unavailable" && error.kind !== "busy")) throw error;
    }
    if (isOver(job)) break;
  }
  return job;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Whether a job shows all of its rows as not worked off. */
async function isUntouched(
  id: string,
  count: number,
  api: SalesforceApi,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return parseResults(await api.readTable(`/jobs/ingest/${id}/unprocessedrecords`, signal)).length === count;
}

/** What is kept of a job: no value, but a hash of what each row is found by. */
const handleSchema = z.object({
  job: z.string().regex(/^\w+$/),
  field: z.string(),
  seqs: z.record(z.string(), z.int()),
});

function handleOf(job: string, field: string, rows: readonly Row[]): string {
  const seqs = Object.fromEntries(rows.map(({ value, seq }) => [hashOf(value), seq]));
  return JSON.stringify({ job, field, seqs } satisfies z.input<typeof handleSchema>);
}

function hashOf(value: string): string {
  return hash("sha256", value, "hex").slice(0, 20);
}

/** Asks for a job that another process started. One whose upload was never declared complete is ended: nothing of it was applied. */
export async function resumeBulk(
  handle: string,
  asking: Pick<RecordsContext, "api" | "signal">,
): Promise<readonly Outcome[]> {
  const { job: id, field, seqs } = handleSchema.parse(JSON.parse(handle));
  const { state } = parseAnswer(
    jobSchema,
    (await asking.api.call("GET", `/jobs/ingest/${id}`, undefined, asking.signal)).body,
  );
  if (state === "Open") {
    await setState(id, "Aborted", asking);
    return [];
  }
  return (await resultOf(id, field, (value) => seqs[hashOf(value)], asking)).outcomes;
}
