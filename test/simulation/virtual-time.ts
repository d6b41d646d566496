/** Time that passes only when nothing else is left to do. */
interface Timer {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

export class VirtualTime {
  #now = Date.UTC(2026, 0, 1);
  #timers: Timer[] = [];
  #order = 0;

  now(): number {
    return this.#now;
  }

  /** Calls back after so long; returns what takes the call back. */
  after(ms: number, ring: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: (this.#order += 1), ring };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Lets everything happen, in order of time, until the work is done. Throws when it can never be. */
  async until<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => (done = true));
    settled.catch(() => undefined);
    for (let steps = 0; ; steps += 1) {
      // All that can happen without time passing happens first.
      await new Promise(setImmediate);
      if (done) return await settled;
      if (steps > 200_000) throw new Error("the simulation goes on and on");
      this.#ringNext();
    }
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    await this.until(new Promise<void>((resolve) => this.after(ms, resolve)));
  }

  #ringNext(): void {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    if (!next) throw new Error("nothing will ever happen again: something waits for what never comes");
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.#now = Math.max(this.#now, next.at);
    next.ring();
  }
}
