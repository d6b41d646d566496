/** The outcomes journal of a run: compressed entries, in the order in which they were written. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Kysely, sql, type Transaction } from "kysely";
import { FencedError, type JournalEntry, type RunIdentity } from "../sync/ports.ts";
import type { OutcomeRow } from "../warehouse.ts";
import { heldLease } from "./leases.ts";
import type { Database } from "./tables.ts";

/** Entries in memory at a time, when a journal is read. */
const pageEntries = 20;

/** Adds an entry at the end of a run's journal. */
export async function writeEntry(trx: Transaction<Database>, runId: string, entry: JournalEntry): Promise<void> {
  await trx
    .insertInto("app.journal")
    .values({ run_id: runId, body: bodyOf(entry) })
    .execute();
}

/** The same with the proof that a run holds its sync, all in one statement. Throws FencedError if it does not. */
export async function writeEntryAlone(
  db: Kysely<Database>,
  runId: string,
  by: RunIdentity,
  entry: JournalEntry,
): Promise<void> {
  const { numAffectedRows } = await sql`
    with held as (${heldLease(by, "shared")})
    insert into app.journal (run_id, body) select ${runId}, ${bodyOf(entry)} from held`.execute(db);
  if (numAffectedRows === 0n) throw new FencedError(by.id);
}

/** Reads a run's journal, oldest entry first. */
export async function* readEntries(db: Kysely<Database>, runId: string): AsyncIterable<JournalEntry> {
  let after = "0";
  for (;;) {
    const rows = await db
      .selectFrom("app.journal")
      .select(["entry_no", "body"])
      .where("run_id", "=", runId)
      .where("entry_no", ">", after)
      .orderBy("entry_no")
      .limit(pageEntries)
      .execute();
    for (const { body } of rows) yield entryOf(body);
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageEntries) return;
    after = last.entry_no;
  }
}

/** An entry as it is stored: what was accepted, which is nearly all, column by column. */
interface StoredEntry extends JournalEntry {
  readonly accepted?: {
    /** How much each seq is more than the one before. */
    readonly steps: readonly number[];
    readonly hashes: readonly (string | null)[];
    /** Absent where the destination gave none. */
    readonly ids?: readonly (string | null)[];
  };
}

/** An entry as it is stored. */
export function bodyOf({ outcomes, ...others }: JournalEntry): Buffer {
  const accepted = outcomes.filter(({ kind }) => kind === "accepted");
  const stored: StoredEntry = {
    ...others,
    outcomes: outcomes.length === accepted.length ? [] : outcomes.filter(({ kind }) => kind !== "accepted"),
    accepted: {
      steps: accepted.map(({ seq }, at) => seq - (accepted[at - 1]?.seq ?? 0)),
      hashes: accepted.map(({ recordHash }) => recordHash ?? null),
      ...(accepted.some(({ destinationId }) => destinationId !== undefined)
        ? { ids: accepted.map(({ destinationId }) => destinationId ?? null) }
        : {}),
    },
  };
  return zstdCompressSync(JSON.stringify(stored));
}

function entryOf(body: Buffer): JournalEntry {
  const { accepted, outcomes, ...others }: StoredEntry = JSON.parse(zstdDecompressSync(body).toString());
  return { ...others, outcomes: [...acceptedOf(accepted), ...outcomes] };
}

function acceptedOf(stored: StoredEntry["accepted"]): readonly OutcomeRow[] {
  const { steps = [], hashes = [], ids } = stored ?? {};
  let seq = 0;
  return steps.map((step, at) => {
    seq += step;
    return { seq, kind: "accepted", recordHash: hashes[at] ?? undefined, destinationId: ids?.[at] ?? undefined };
  });
}

/** Removes a run's journal, and who sends which part: what it said is in state now. */
export async function deleteJournal(trx: Transaction<Database>, runId: string): Promise<void> {
  await trx.deleteFrom("app.divisions").where("run_id", "=", runId).execute();
  await trx.deleteFrom("app.journal").where("run_id", "=", runId).execute();
}
