/**
 * The writing side of a run's outcomes journal. Intents are durable before their request goes out; outcomes follow as
 * they arrive. Appends are grouped: while one is under way, the next gathers.
 */
import type { OutcomeRow } from "../warehouse.ts";
import type { JournalEntry, KeptJob, Rejection, SentCounts } from "./ports.ts";

/** What the journal holds so far. */
export type Tally = { -readonly [Count in Exclude<keyof SentCounts, "requests">]: SentCounts[Count] };

export class Journal {
  readonly tally: Tally = { accepted: 0, rejected: 0, invalid: 0, inDoubt: 0, alreadyThere: 0 };
  readonly #append: (entry: JournalEntry) => Promise<void>;
  #gathering = emptyEntry();
  #appending: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /** `append` makes an entry durable. */
  constructor(append: (entry: JournalEntry) => Promise<void>) {
    this.#append = append;
  }

  /** Resolves when it is durable that these changes are about to be sent. */
  intend(seqs: readonly number[]): Promise<void> {
    this.#gathering.sending.push(...ranges(seqs));
    return this.flush();
  }

  /** Resolves when it is durable that a job of the destination will tell outcomes. */
  keepJob(job: KeptJob): Promise<void> {
    this.#gathering.jobs.push(job);
    return this.flush();
  }

  /** Notes outcomes. Resolves at once while few are waiting, else when they are durable: that is the back-pressure. */
  async note(outcomes: readonly OutcomeRow[], rejections: readonly Rejection[] = []): Promise<void> {
    this.#gathering.outcomes.push(...outcomes);
    this.#gathering.rejections.push(...rejections);
    for (const { kind } of outcomes) this.tally[tallyOf[kind]] += 1;
    const flushed = this.flush();
    if (this.#gathering.outcomes.length > 2000) await flushed;
    else flushed.catch(() => undefined); // A failed append is met again by the next intent, or by the last flush.
  }

  /** Notes changes that need no request, because the destination holds just that record already. */
  async noteAlreadyThere(outcomes: readonly OutcomeRow[]): Promise<void> {
    this.tally.alreadyThere += outcomes.length;
    await this.note(outcomes);
  }

  /** Resolves when everything noted so far is durable. */
  flush(): Promise<void> {
    this.#next ??= this.#appending.then(() => {
      this.#next = null;
      const entry = this.#gathering;
      this.#gathering = emptyEntry();
      const { sending, outcomes, rejections, jobs } = entry;
      const empty = sending.length + outcomes.length + rejections.length + jobs.length === 0;
      this.#appending = empty ? Promise.resolve() : this.#append(entry);
      return this.#appending;
    });
    return this.#next;
  }
}

const tallyOf = { accepted: "accepted", rejected: "rejected", invalid: "invalid", in_doubt: "inDoubt" } as const;

interface GatheringEntry extends JournalEntry {
  readonly sending: (readonly [number, number])[];
  readonly outcomes: OutcomeRow[];
  readonly rejections: Rejection[];
  readonly jobs: KeptJob[];
}

function emptyEntry(): GatheringEntry {
  return { sending: [], outcomes: [], rejections: [], jobs: [] };
}

/** Numbers as ranges, both ends included: `[1, 2, 3, 7]` is `[[1, 3], [7, 7]]`. */
export function ranges(seqs: readonly number[]): (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const seq of seqs) {
    const last = found.at(-1);
    if (last && last[1] + 1 === seq) last[1] = seq;
    else found.push([seq, seq]);
  }
  return found;
}
