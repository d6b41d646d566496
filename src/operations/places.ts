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
  /** How often each run is in a place here. */
  readonly #runs = new Map<string, number>();
  /** Runs of others that this process could not go on with, and until when it leaves them alone. */
  readonly #left = new Map<string, Date>();
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
    count(this.#taken, destination, 1);
    count(this.#runs, run, 1);
    return {
      [Symbol.dispose]: () => {
        count(this.#taken, destination, -1);
        count(this.#runs, run, -1);
      },
    };
  }

  /** Whether a run is in a place here. */
  isAt(run: string): boolean {
    return this.#runs.has(run);
  }

  leave(run: string, until: Date): void {
    this.#left.set(run, until);
  }

  hasLeft(run: string, now: Date): boolean {
    for (const [other, until] of this.#left) if (until <= now) this.#left.delete(other);
    return this.#left.has(run);
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

function count(counts: Map<string, number>, name: string, more: 1 | -1): void {
  const number = (counts.get(name) ?? 0) + more;
  if (number === 0) counts.delete(name);
  else counts.set(name, number);
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
    shared: planner.shared,
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
