/** Jobs that outlive the process that started them: what is kept of one, and what became of its changes. */
import { hash } from "node:crypto";
import { z } from "zod";
import type { Batch, Outcome } from "../../src/destination.ts";
import { isSuccess } from "./answers.ts";
import { identity, type ObjectName } from "./fields.ts";
import { type Asking, endOfJob } from "./jobs.ts";
import { byIds, valueOf } from "./lookup.ts";
import type { Sought, Wanting } from "./requests.ts";

/** By Zendesk's id where the record was there, by a hash of the match value where the job was to make it. */
const handleSchema = z.object({
  job: z.string(),
  object: z.enum(["users", "organizations"]),
  field: z.string(),
  by: z.enum(["id", "hash"]),
  seqs: z.record(z.string(), z.int()),
});

/** What keeping a job needs of the batch that it is for. */
export interface Keeping extends Pick<Wanting, "object" | "field"> {
  readonly onJob: Batch["onJob"];
}

/** Keeps a job for the run, if anybody can; `keyOf` gives what the change's row in the job will be known by. */
export function keeping(
  changes: readonly Sought[],
  by: "id" | "hash",
  keyOf: (sought: Sought) => string,
  { onJob, object, field }: Keeping,
): ((job: string) => Promise<void>) | undefined {
  if (onJob === undefined || changes.length === 0) return undefined;
  const seqs = Object.fromEntries(changes.map((sought) => [keyOf(sought), sought.change.seq]));
  return (job) =>
    onJob({
      handle: JSON.stringify({ job, object, field, by, seqs } satisfies z.input<typeof handleSchema>),
      seqs: Object.values(seqs),
    });
}

/** A match value without telling it: handles are stored. */
export function hashOf(value: string | null | undefined): string {
  return hash("sha256", identity(value), "hex").slice(0, 32);
}

/** Waits for a kept job. Only rows that clearly succeeded tell an outcome; the others stay in doubt. */
export async function resumeJob(handle: string, asking: Asking): Promise<readonly Outcome[]> {
  const { job: id, object, field, by, seqs } = handleSchema.parse(JSON.parse(handle));
  const job = await endOfJob({ id, done: false, rows: [], message: undefined }, asking);
  const ids = job.rows.flatMap((row) => (row.id !== undefined && isSuccess(row) ? [row.id] : []));
  const keys = by === "id" ? new Map(ids.map((one) => [one, one])) : await hashesOf(ids, object, field, asking);
  return ids.flatMap((destinationId): Outcome[] => {
    const seq = seqs[keys.get(destinationId) ?? ""];
    return seq === undefined ? [] : [{ seq, kind: "accepted", destinationId }];
  });
}

async function hashesOf(
  ids: readonly string[],
  object: ObjectName,
  field: string,
  asking: Asking,
): Promise<ReadonlyMap<string, string>> {
  const records = await byIds(ids, { ...asking, object });
  return new Map([...records].map(([id, record]) => [id, hashOf(valueOf(record, field))]));
}
