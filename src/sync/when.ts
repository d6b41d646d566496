/** Fields that are not always written: each record is looked at before, and what it is to keep is left out. */
import {
  type Batch,
  type Change,
  type Connection,
  DestinationError,
  type DestinationRecord,
  type Outcome,
  type Value,
} from "../destination.ts";
import type { SyncSpec, When } from "./ports.ts";

/** The fields of a sync that are not always written. */
export function conditionalFields({ fields }: Pick<SyncSpec, "fields">): ReadonlyMap<string, When> {
  return new Map(fields.flatMap(({ target, when }) => (when === undefined ? [] : [[target, when] as const])));
}

/**
 * Writes a batch without the values that its records are to keep. A record that cannot be read is not written: it might
 * lose what a person has entered.
 */
export async function writeWhen(
  batch: Batch,
  conditional: ReadonlyMap<string, When>,
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const asks = conditional.size > 0 && (batch.operation === "upsert" || batch.operation === "update");
  if (!asks) return connection.write(batch, signal);
  const present = await readBefore(batch, [...conditional.keys()], connection, signal);
  const unread = batch.changes.filter(({ seq }) => !present.has(seq));
  const changes = batch.changes.flatMap((change): Change[] => {
    const record = present.get(change.seq);
    return record === undefined ? [] : [{ ...change, record: kept(change.record, record, conditional) }];
  });
  const outcomes = changes.length === 0 ? [] : await connection.write({ ...batch, changes }, signal);
  return [...outcomes, ...unread.map(({ seq }) => notRead(seq))];
}

/** Whatever goes wrong before the write, nothing was applied. */
async function readBefore(
  batch: Batch,
  fields: readonly string[],
  connection: Connection,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, DestinationRecord | null>> {
  try {
    return (await connection.read?.(batch, fields, signal)) ?? new Map();
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    const { kind, message, code, status, retryAfterMs, field, cause } = error;
    throw new DestinationError(kind, message, { code, applied: "no", status, retryAfterMs, field, cause });
  }
}

/** Of a record that is not there yet, everything; of one that is, only what it may be given. */
export function kept(
  record: DestinationRecord,
  present: DestinationRecord | null,
  conditional: ReadonlyMap<string, When>,
): DestinationRecord {
  if (present === null) return record;
  return Object.fromEntries(
    Object.entries(record).filter(([field]) => {
      const when = conditional.get(field);
      return when === undefined || (when === "if_empty" && isEmpty(present[field]));
    }),
  );
}

function isEmpty(value: Value | undefined): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function notRead(seq: number): Outcome {
  const message = "The record could not be read before, and some of its fields are not always written.";
  return { seq, kind: "rejected", code: "record_not_read", message };
}
