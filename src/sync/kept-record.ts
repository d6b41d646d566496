/** A record as a sync that keeps values has it. */
import type { Change } from "../destination.ts";

/** What is kept of a change: what finds the record, and its fields. */
export type KeptRecord = Pick<Change, "match" | "record">;

/** A record as it was kept. */
export function parseRecord(text: string): KeptRecord {
  return JSON.parse(text);
}
