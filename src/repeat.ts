/** Work that is done again and again until the service stops. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Repeating {
  /** Resolves when nothing of it goes on any more. */
  close(): Promise<void>;
}

/** Does it now, and then every so often. What goes wrong is told to `onError` and tried again. */
export function repeat(
  work: () => Promise<void>,
  { everyMs, onError }: { readonly everyMs: number; readonly onError: (error: unknown) => void },
): Repeating {
  const stopping = new AbortController();
  const running = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await work().catch(onError);
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}
