/** What was found for changes when they were read, for the write that follows. */
import type { Batch, Change } from "../../src/destination.ts";
import type { Found } from "./lookup.ts";

/** Good for one attempt: the next one looks again. */
export class FoundBefore {
  readonly #kept = new Map<string, Found>();

  keep(batch: Batch, change: Change, found: Found): void {
    // Writes that never came, such as of rows that could not be read, leave theirs behind.
    if (this.#kept.size >= 1000) this.#kept.clear();
    this.#kept.set(keyOf(batch, change), found);
  }

  take(batch: Batch, change: Change): Found | undefined {
    const key = keyOf(batch, change);
    const found = this.#kept.get(key);
    this.#kept.delete(key);
    return found;
  }
}

function keyOf({ id }: Batch, { seq }: Change): string {
  return `${id} ${seq}`;
}
