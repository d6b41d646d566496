/** Runs a bounded number of tasks side by side; a group waits until the one before it is done. */
export class InFlight {
  readonly #limit: number;
  readonly #onFailure: (reason: unknown) => void;
  readonly #tasks = new Set<Promise<void>>();
  #group: string | null = null;

  constructor(limit: number, onFailure: (reason: unknown) => void) {
    this.#limit = limit;
    this.#onFailure = onFailure;
  }

  /**
   * Starts a task as soon as there is room. Tasks of one group run side by side; those of the next begin when all of
   * the group before have ended, so that a record is never removed after it was written anew.
   */
  async start(group: string, task: () => Promise<void>): Promise<void> {
    if (group !== this.#group) await this.settled();
    this.#group = group;
    while (this.#tasks.size >= this.#limit) await Promise.race(this.#tasks);
    const running = task()
      .catch(this.#onFailure)
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  /** Resolves when no task is under way. Never rejects: failures went to the callback. */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}
