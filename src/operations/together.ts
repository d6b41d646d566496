/** Does once what many ask for at the same moment. */

interface Shared<Result> {
  readonly result: Promise<Result>;
  begun: boolean;
}

/**
 * While an ask is being answered, those of the same name that come share the next answer. So none is answered by what
 * was begun before it came, and a burst of thousands costs as much as a few.
 */
export class Together<Result> {
  /** The newest of each name: under way, or waiting for the one before it. */
  readonly #newest = new Map<string, Shared<Result>>();

  ask(name: string, answer: () => Promise<Result>): Promise<Result> {
    const newest = this.#newest.get(name);
    if (newest && !newest.begun) return newest.result;
    const before = newest?.result.catch(() => undefined) ?? Promise.resolve();
    const result = before.then(() => {
      next.begun = true;
      return answer();
    });
    const next: Shared<Result> = { result, begun: false };
    this.#newest.set(name, next);
    const forget = (): void => {
      if (this.#newest.get(name) === next) this.#newest.delete(name);
    };
    result.then(forget, forget);
    return result;
  }
}
