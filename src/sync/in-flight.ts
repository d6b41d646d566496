/** Runs a bounded number of tasks side by side; a group waits until the one before it is done. */

/** How many tasks are under way at the same time. */
export interface Width {
  /** So many always. */
  readonly few: number;
  /** So many while what they carry is little, which bounds what is in memory. */
  readonly many: number;
}

/** So many changes are little. */
const littleWeight = 2000;

export class InFlight {
  readonly #width: Width;
  readonly #onFailure: (reason: unknown) => void;
  readonly #tasks = new Set<Promise<void>>();
  #weight = 0;
  #group: string | null = null;

  constructor(width: Width, onFailure: (reason: unknown) => void) {
    this.#width = width;
    this.#onFailure = onFailure;
  }

  /**
   * Starts a task, which carries so many changes, as soon as there is room. Tasks of one group run side by side; those of
   * the next begin when all of the group before have ended, so that a record is never removed after it was written anew.
   */
  async start(group: string, weight: number, task: () => Promise<void>): Promise<void> {
    if (group !== this.#group) await this.settled();
    this.#group = group;
    while (!this.#hasRoom(weight)) await Promise.race(this.#tasks);
    this.#weight += weight;
    const running = task()
      .catch(this.#onFailure)
      .finally(() => {
        this.#weight -= weight;
        this.#tasks.delete(running);
      });
    this.#tasks.add(running);
  }

  /** Resolves when no task is under way. Never rejects: failures went to the callback. */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  #hasRoom(weight: number): boolean {
    const { few, many } = this.#width;
    const isLittle = this.#weight + weight <= littleWeight;
    return this.#tasks.size < (isLittle ? many : Math.min(few, many));
  }
}
