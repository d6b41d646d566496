/**
 * A destination that is down is not asked by everybody again and again: once it has failed several times in a row, all
 * that want something of it wait, and one of them looks now and then, by a check that writes nothing, whether it is back.
 */
import { type Connection, DestinationError } from "../destination.ts";
import type { Clock, Random } from "../sync/ports.ts";

/** So many failures in a row, whoever met them, and it counts as down. */
const failuresToOpen = 5;

const firstLookMs = 1000;
const mostBetweenLooksMs = 15_000;

/** A run that has waited so long ends, and is asked for again later: others need its place. */
export const downPatienceMs = 120_000;

/** The destination is still down. To ask again at once is of no use. */
export class StillDown extends DestinationError {}

/** Whether one destination is down, as far as this process has seen. */
export class Breaker {
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;
  /** While it is down. */
  #open: {
    readonly failure: DestinationError;
    readonly back: AbortController;
    lookAt: number;
    everyMs: number;
  } | null = null;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Does it once the destination is not known to be down. `look` asks it for something harmless. */
  async through<Result>(
    act: () => Promise<Result>,
    look: () => Promise<unknown>,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    await this.#untilBack(look, signal);
    try {
      const result = await act();
      this.#answered();
      return result;
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  async #untilBack(look: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    const from = this.#now();
    for (let open = this.#open; open !== null; open = this.#open) {
      const now = this.#now();
      if (now - from >= downPatienceMs) throw stillDown(open.failure);
      if (now < open.lookAt) await this.#sleep(open.lookAt - now, open.back.signal, signal);
      else await this.#look(look, open);
    }
  }

  /** Only one looks at a time: the next look is set before this one begins. */
  async #look(look: () => Promise<unknown>, open: { lookAt: number; everyMs: number }): Promise<void> {
    open.everyMs = Math.min(mostBetweenLooksMs, open.everyMs * 2);
    open.lookAt = this.#now() + open.everyMs * (0.75 + this.#random() / 2);
    try {
      await look();
      this.#answered();
    } catch (error) {
      // The run was stopped; of the destination nothing is known.
      if (!(error instanceof DestinationError)) throw error;
      // One that refuses, or asks to wait, is there.
      if (!isDown(error)) this.#answered();
    }
  }

  /** Sleeps until then, or until it is back. */
  async #sleep(ms: number, back: AbortSignal, signal: AbortSignal | undefined): Promise<void> {
    const either = signal ? AbortSignal.any([back, signal]) : back;
    await this.#clock.sleep(ms, either).catch(() => undefined);
    signal?.throwIfAborted();
  }

  #answered(): void {
    this.#failures = 0;
    this.#open?.back.abort();
    this.#open = null;
  }

  #noteFailure(error: unknown): void {
    if (!isDown(error)) return;
    this.#failures += 1;
    if (this.#failures < failuresToOpen || this.#open !== null) return;
    const lookAt = this.#now() + firstLookMs;
    this.#open = { failure: error, back: new AbortController(), lookAt, everyMs: firstLookMs };
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

function isDown(error: unknown): error is DestinationError {
  return error instanceof DestinationError && error.kind === "unavailable";
}

function stillDown({ message, code, status, retryAfterMs, cause }: DestinationError): StillDown {
  return new StillDown("unavailable", message, { code, applied: "no", status, retryAfterMs, cause });
}

/** The same connection, but nothing is asked of a destination that is down. */
export function breaking(connection: Connection, breaker: Breaker): Connection {
  // Kept apart, or whoever asks could not tell what there is.
  const read = connection.read?.bind(connection);
  const resume = connection.resume?.bind(connection);
  const through = <Result>(act: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> =>
    breaker.through(act, () => connection.check(signal), signal);
  return {
    // A person who asks whether it works wants to know now.
    check: (signal) => connection.check(signal),
    objects: (signal) => through(() => connection.objects(signal), signal),
    describe: (object, settings, signal) => through(() => connection.describe(object, settings, signal), signal),
    write: (batch, signal) => through(() => connection.write(batch, signal), signal),
    ...(resume ? { resume: (handle, signal) => through(() => resume(handle, signal), signal) } : {}),
    ...(read ? { read: (batch, fields, signal) => through(() => read(batch, fields, signal), signal) } : {}),
    ignoresCase: (object, settings, field) => connection.ignoresCase?.(object, settings, field) ?? false,
    ...(connection.close ? { close: () => connection.close?.() ?? Promise.resolve() } : {}),
  };
}
