/** The outcomes journal of a run: compressed entries, in the order in which they were written. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Kysely, Transaction } from "kysely";
import type { JournalEntry } from "../sync/ports.ts";
import type { Database } from "./tables.ts";

/** Entries in memory at a time, when a journal is read. */
const pageEntries = 20;

/** Adds an entry at the end of a run's journal. */
export async function writeEntry(trx: Transaction<Database>, runId: string, entry: JournalEntry): Promise<void> {
  const body = zstdCompressSync(JSON.stringify(entry));
  await trx.insertInto("app.journal").values({ run_id: runId, body }).execute();
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

function entryOf(body: Buffer): JournalEntry {
  return JSON.parse(zstdDecompressSync(body).toString());
}

/** Removes a run's journal: what it said is in state now. */
export async function deleteJournal(trx: Transaction<Database>, runId: string): Promise<void> {
  await trx.deleteFrom("app.journal").where("run_id", "=", runId).execute();
}
