/** Background jobs: Zendesk queues what is asked for several records, and tells what became of it when asked again. */
import { setTimeout as sleep } from "node:timers/promises";
import { DestinationError } from "../../src/destination.ts";
import { type JsonApi, type Method } from "../../src/json-api.ts";
import { type Job, parseJob } from "./answers.ts";
import { refusalOf } from "./errors.ts";

export interface Asking {
  readonly api: JsonApi;
  readonly signal: AbortSignal | undefined;
}

/** How long to wait before each look, about five minutes in all. Every look counts towards the account's limit. */
const waitsMs: readonly number[] = [50, 500, 1000, 2000, 4000, ...Array<number>(58).fill(5000)];

interface Request {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  /** Told the job's id before it is waited for. */
  readonly onStart?: ((id: string) => Promise<void>) | undefined;
}

/** Starts a job and waits for its end. What is not done by then, or was forgotten, is told by a job without rows. */
export async function runJob({ method, path, body, onStart }: Request, asking: Asking): Promise<Job> {
  const job = parseJob(await asking.api.ask(method, path, body, asking.signal));
  if (job.done) return job;
  await onStart?.(job.id);
  return await endOfJob(job, asking);
}

/** The same job when it is done, or when it was waited for in vain. */
export async function endOfJob(started: Job, { api, signal }: Asking): Promise<Job> {
  let job = started;
  for (const waitMs of waitsMs) {
    if (job.done) return job;
    await pause(waitMs, signal);
    const answer = await api.call("GET", `/job_statuses/${encodeURIComponent(job.id)}`, undefined, signal);
    // Zendesk keeps jobs for an hour, and of an account no more than the last hundred.
    if (answer.status === 404) return { ...job, done: true, rows: [], message: "Zendesk has forgotten the job." };
    if (answer.status !== 200) throw refusalOf(answer);
    job = parseJob(answer.body);
  }
  return job.done ? job : { ...job, rows: [] };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** The same failure, but where Zendesk forbids to make users in bulk, with what a person can do about it. */
export async function tellingBulkImport<Result>(request: Promise<Result>): Promise<Result> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof DestinationError) || error.status !== 403) throw error;
    const message =
      "Zendesk forbids to make users in bulk (403). Ask Zendesk's support to enable bulk user imports for the account, and let the credential be an admin's.";
    throw new DestinationError("unauthorized", message, {
      code: "bulk_import_forbidden",
      applied: error.applied,
      status: 403,
    });
  }
}
