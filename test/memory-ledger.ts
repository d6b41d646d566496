/** Counts requests in this process, by a clock that tests turn. What the control store counts has tests of its own. */
import { type PaceLedger, Pacer, type Turns, windowsOf } from "../src/connection/pace.ts";
import type { RateLimit } from "../src/destination.ts";
import type { Clock } from "../src/sync/ports.ts";

export function memoryLedger(clock: Clock): PaceLedger {
  const sent: number[] = [];
  return {
    enter: (_credential, windows) => {
      const now = clock.now().getTime();
      const waits = windows.map(({ requests, spanMs }) => {
        const inSpan = sent.filter((at) => at > now - spanMs);
        const leaves = inSpan.at(-requests);
        return leaves === undefined ? 0 : leaves + spanMs - now;
      });
      const wait = Math.max(0, ...waits);
      if (wait === 0) sent.push(now);
      return Promise.resolve(wait);
    },
    heard: () => Promise.resolve(),
  };
}

/** The turns of one credential, counted in this process. */
export function memoryPacer(limits: readonly RateLimit[], share: number, clock: Clock): Pacer {
  return new Pacer(memoryLedger(clock), "credential", windowsOf(limits, share), clock);
}

/** The turns of a vendor that has no limit. */
export const unlimited: Turns = {
  enter: () => Promise.resolve(),
  heard: () => Promise.resolve(),
  failed: () => Promise.resolve(),
};
