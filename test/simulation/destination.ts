/** A destination in memory that answers, at chance, in every way that one can. */
import {
  type Batch,
  type Change,
  type Connection,
  DestinationError,
  type ObjectDescription,
  type Value,
  type Outcome,
} from "../../src/destination.ts";
import type { Chance } from "./chance.ts";
import { choke, poison } from "./model.ts";

interface HeldRecord {
  readonly email: string;
  readonly name: string;
  readonly version: number;
}

/** How an answer is wrong, at what probability each. */
export interface Distortions {
  /** Says nothing of some changes, or of any. */
  readonly missing: number;
  /** Has another order, says some twice, and tells of changes that nobody asked about. */
  readonly muddled: number;
  /** Says two different things of one change. */
  readonly contradictory: number;
}

export class SimulatedDestination {
  readonly records = new Map<string, HeldRecord>();
  /** Every record that an accepted answer was about. */
  readonly acknowledged = new Set<string>();
  /** What no order of honest requests could have caused. */
  readonly violations: string[] = [];
  /** The seqs of all changes that arrived, by run. */
  readonly #arrived = new Map<string, Set<number>>();
  readonly #newest = new Map<string, number>();
  readonly #jobs = new Map<string, { readonly changes: readonly Change[]; readonly outcomes: readonly Outcome[] }>();
  #made = 0;

  description(): ObjectDescription {
    const text = { type: "text", writable: true } as const;
    return {
      name: "people",
      title: "People",
      modes: ["upsert", "mirror"],
      removals: ["archive"],
      batch: { records: 5 },
      idempotent: { upsert: true, mirror: true, update: true, insert: false, append: false },
      fields: [
        { ...text, name: "email", title: "E-mail", matches: true },
        { ...text, name: "name", title: "Name", matches: false },
        { name: "version", title: "Version", type: "integer", writable: true, matches: false },
      ],
    };
  }

  /** How many of a run's changes arrived, whatever was answered. */
  arrived(runId: string): number {
    return this.#arrived.get(runId)?.size ?? 0;
  }

  apply({ operation, changes, id }: Batch): readonly Outcome[] {
    const runId = id.slice(0, id.indexOf("-"));
    const arrived = this.#arrived.get(runId) ?? new Set();
    for (const { seq } of changes) arrived.add(seq);
    this.#arrived.set(runId, arrived);
    if (changes.some(({ record }) => record["name"] === choke))
      throw new DestinationError("refused", "no", { code: "choked", applied: "no" });
    return changes.map((change) => (operation === "archive" ? this.#archive(change) : this.#upsert(change)));
  }

  /** Does a batch as a job: what became of it is told to whoever asks by its handle. */
  start(batch: Batch): string {
    const handle = `job${this.#jobs.size + 1}`;
    this.#jobs.set(handle, { changes: batch.changes, outcomes: this.apply(batch) });
    return handle;
  }

  job(handle: string): { readonly changes: readonly Change[]; readonly outcomes: readonly Outcome[] } {
    return this.#jobs.get(handle) ?? { changes: [], outcomes: [] };
  }

  acknowledge(changes: readonly Change[], outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const change = changes.find(({ seq }) => seq === outcome.seq);
      if (outcome.kind === "accepted" && change) this.acknowledged.add(claimOf(change));
    }
  }

  #upsert({ seq, match, record, destinationId, renamed }: Change): Outcome {
    if (record["name"] === poison) return { seq, kind: "rejected", code: "poisoned", message: "no" };
    const email = text(match["email"]);
    const own = renamed && destinationId !== undefined && this.records.has(destinationId) ? destinationId : undefined;
    const found = [...this.records].find(([, held]) => held.email === email)?.[0];
    if (own !== undefined && found !== undefined && found !== own)
      return { seq, kind: "rejected", code: "address_taken", message: "no" };
    const id = own ?? found ?? `R${(this.#made += 1)}`;
    const version = Number(record["version"]);
    if (version < (this.#newest.get(email) ?? 0)) this.violations.push(`${email} went back to version ${version}`);
    this.#newest.set(email, Math.max(version, this.#newest.get(email) ?? 0));
    this.records.set(id, { email, name: text(record["name"]), version });
    return { seq, kind: "accepted", destinationId: id };
  }

  #archive({ seq, match, destinationId }: Change): Outcome {
    const found = destinationId ?? [...this.records].find(([, { email }]) => email === match["email"])?.[0];
    if (found !== undefined) this.records.delete(found);
    return { seq, kind: "accepted" };
  }
}

function text(value: Value | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A record as state claims that it was taken. */
export function claimOf({ match, record }: Pick<Change, "match" | "record">): string {
  return JSON.stringify([match["email"], record["name"], text(record["version"])]);
}

/** An answer as it may arrive. */
export function distort(outcomes: readonly Outcome[], distortions: Distortions, chance: Chance): readonly Outcome[] {
  let answer = outcomes;
  if (chance.happens(distortions.missing)) answer = chance.happens(0.3) ? [] : answer.filter(() => chance.happens(0.6));
  if (chance.happens(distortions.contradictory) && answer[0])
    answer = [...answer, { seq: answer[0].seq, kind: "rejected", code: "changed_my_mind", message: "no" }];
  if (chance.happens(distortions.muddled)) {
    const stray = { seq: 1_000_000, kind: "accepted" } as const;
    answer = chance.shuffled([...answer, ...answer.slice(0, 1), stray]);
  }
  return answer;
}

export type { Connection };
