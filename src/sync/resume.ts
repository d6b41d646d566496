/** Learns what became of jobs that a lost worker waited for, before its run is settled. */
import { type Connection, DestinationError, type Outcome } from "../destination.ts";
import { accountFor, toRows } from "./outcomes.ts";
import type { KeptJob, RunIdentity, RunStore } from "./ports.ts";

/**
 * Asks for the outcomes of every job in a lost run's journal whose changes have none, and adds them to it. What a job does not tell stays
 * in doubt. Throws when the destination cannot be asked now: the run is then left for the next one to settle.
 */
export async function resumeJobs(
  lostRunId: string,
  by: RunIdentity,
  { store, connection }: { readonly store: RunStore; readonly connection: Connection },
  signal: AbortSignal,
): Promise<void> {
  // The newest first: where a batch was sent twice, its last word counts.
  const { jobs, settled } = await openJobs(lostRunId, store);
  for (const { handle, changes } of jobs.toReversed()) {
    const open = changes.filter(({ seq }) => !settled.has(seq));
    if (open.length === 0) continue;
    const answer = await answerOf(handle, connection, signal);
    const seqs = open.map(({ seq }) => seq);
    const told = accountFor(seqs, answer).filter(({ kind }) => kind !== "in_doubt");
    for (const { seq } of told) settled.add(seq);
    const [outcomes, rejections] = toRows(told, new Map(open.map((change) => [change.seq, change])));
    if (told.length > 0) await store.appendLost(lostRunId, by, { sending: [], outcomes, rejections });
  }
}

async function openJobs(
  runId: string,
  store: RunStore,
): Promise<{ readonly jobs: readonly KeptJob[]; readonly settled: Set<number> }> {
  const jobs: KeptJob[] = [];
  const seqs = new Set<number>();
  const settled = new Set<number>();
  for await (const entry of store.journal(runId)) {
    for (const job of entry.jobs ?? []) {
      jobs.push(job);
      for (const { seq } of job.changes) seqs.add(seq);
    }
    // A job is kept before its outcomes are; of the others, which may be millions, nothing is held.
    for (const { seq } of entry.outcomes) if (seqs.has(seq)) settled.add(seq);
  }
  return { jobs, settled };
}

/** A job that cannot be understood any more must not keep its sync from running: its changes are in doubt. */
async function answerOf(handle: string, connection: Connection, signal: AbortSignal): Promise<readonly Outcome[]> {
  try {
    return (await connection.resume?.(handle, signal)) ?? [];
  } catch (error) {
    const passes = error instanceof DestinationError && error.kind !== "refused";
    if (passes || signal.aborted) throw error;
    return [];
  }
}
