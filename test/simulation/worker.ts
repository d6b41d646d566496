/** A process that does runs: it can die, be paused and wake, and each call that it makes can go wrong. */
import { setMaxListeners } from "node:events";
import type { Clock } from "../../src/sync/ports.ts";
import type { Chance } from "./chance.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What goes wrong with a call, at what probability. */
export interface Faults {
  /** Fails, and nothing was done. */
  readonly before: number;
  /** Was done, and fails. */
  readonly after: number;
  readonly slow: number;
  /** The process is killed, before or after it was done. */
  readonly crash: number;
  /** The process stands still for longer than a lease, before or after it was done. */
  readonly pause: number;
}

export const noFaults: Faults = { before: 0, after: 0, slow: 0, crash: 0, pause: 0 };

const never = new Promise<never>(() => undefined);

export class SimulatedWorker {
  readonly clock: Clock;
  readonly stop = new AbortController();
  readonly #time: VirtualTime;
  readonly #chance: Chance;
  readonly #faults: Faults;
  readonly #death = Promise.withResolvers<"dead">();
  #alive = true;
  #awake: Promise<void> = Promise.resolve();

  constructor(time: VirtualTime, chance: Chance, faults: Faults) {
    this.#time = time;
    this.#chance = chance;
    this.#faults = faults;
    setMaxListeners(0, this.stop.signal);
    this.clock = {
      now: () => new Date(time.now()),
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  /** Resolves when the process is killed. */
  get death(): Promise<"dead"> {
    return this.#death.promise;
  }

  kill(): void {
    this.#alive = false;
    this.#death.resolve("dead");
  }

  /** Makes a call to something outside of the process. `fail` is how it fails, if it does. */
  async call<T>(
    act: () => T | Promise<T>,
    fail: (applied: "no" | "unknown") => Error,
    signal?: AbortSignal,
  ): Promise<T> {
    await this.#present();
    const { before, after, slow, crash, pause } = this.#faults;
    const chance = this.#chance;
    if (chance.happens(slow)) await this.#sleep(chance.between(1, 20_000), signal);
    if (chance.happens(pause / 2)) this.#pause();
    if (chance.happens(crash / 2)) this.kill();
    await this.#present();
    signal?.throwIfAborted();
    if (chance.happens(before)) throw fail("no");
    const result = await act();
    if (chance.happens(pause / 2)) this.#pause();
    if (chance.happens(crash / 2)) this.kill();
    await this.#present();
    if (chance.happens(after)) throw fail("unknown");
    return result;
  }

  /** Stands still, renewing of its lease included, for longer than the lease. */
  #pause(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awake = this.#awake.then(() => promise);
    this.#time.after(this.#chance.between(31_000, 200_000), resolve);
  }

  /** A dead process does nothing more; a paused one nothing until it wakes. */
  async #present(): Promise<void> {
    for (let awake: Promise<void> | undefined; awake !== this.#awake;) {
      awake = this.#awake;
      await awake;
    }
    if (!this.#alive) await never;
  }

  async #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = this.#time.after(ms, resolve);
    const stop = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    await this.#present();
  }
}
