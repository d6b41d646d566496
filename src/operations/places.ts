/**
 * How many runs a process does at a time. Most of its time a run waits for a vendor, so there are many; but not all
 * towards one destination, or a slow one would keep every other from its numbers; and few that plan or commit, which costs
 * memory.
 */
import type { Planner } from "../warehouse.ts";

/** Runs at a time in a process. */
export const runsAtATime = 16;

/** Runs towards one destination at a time in a process. */
const towardsOne = 6;

/** Runs that plan or commit at a time in a process. */
const planningAtATime = 4;

export class Places {
  readonly #taken = new Map<string, number>();
  /** Runs that found no place, by where they go. */
  readonly #turnedAway = new Map<string, Set<string>>();
  #planning = 0;
  readonly #waiting: (() => void)[] = [];

  /** A run's place towards its destination, until it is disposed of. Null while all are taken. */
  take(destination: string, run: string): Disposable | null {
    const taken = this.#taken.get(destination) ?? 0;
    const away = this.#turnedAway.get(destination) ?? new Set();
    if (taken >= towardsOne) {
      this.#turnedAway.set(destination, away.add(run));
      return null;
    }
    away.delete(run);
    this.#taken.set(destination, taken + 1);
    return { [Symbol.dispose]: () => this.#giveBack(destination) };
  }

  /** The runs that were turned away and for which there are places now, oldest first. Each is told once. */
  freed(): readonly string[] {
    return [...this.#turnedAway].flatMap(([destination, away]) => {
      const runs = [...away].slice(0, towardsOne - (this.#taken.get(destination) ?? 0));
      for (const run of runs) away.delete(run);
      if (away.size === 0) this.#turnedAway.delete(destination);
      return runs;
    });
  }

  #giveBack(destination: string): void {
    const left = (this.#taken.get(destination) ?? 1) - 1;
    if (left === 0) this.#taken.delete(destination);
    else this.#taken.set(destination, left);
  }

  /** Does it when no more than a few others plan or commit: first come, first served. */
  async plan<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#planning >= planningAtATime) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#planning += 1;
    try {
      return await work();
    } finally {
      // Whoever comes next takes this place over.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#planning -= 1;
    }
  }
}

/** The same planner, but to plan and to commit wait for a place. */
export function planningInPlaces(planner: Planner, places: Places): Planner {
  const { records } = planner;
  return {
    plan: (request, signal) => places.plan(() => planner.plan(request, signal)),
    read: (run, options, signal) => planner.read(run, options, signal),
    record: (run, outcomes) => planner.record(run, outcomes),
    commit: (run, options) => places.plan(() => planner.commit(run, options)),
    openRuns: () => planner.openRuns(),
    takeOver: (run) => planner.takeOver(run),
    discard: (run) => planner.discard(run),
    state: () => planner.state(),
    drop: () => planner.drop(),
    ...(records
      ? {
          records: {
            stage: (run, pages) => records.stage(run, pages),
            find: (rowKeys) => records.find(rowKeys),
            planRevert: (request, signal) => places.plan(() => records.planRevert(request, signal)),
          },
        }
      : {}),
  };
}
