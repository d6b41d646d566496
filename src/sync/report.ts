/** Tells how a run goes and ends, to whoever watches and to the store. */
import type { PlanCounts } from "../warehouse.ts";
import { noCounts } from "./commit.ts";
import type { GateReport, RunCounts, RunEnd, RunIdentity, RunProgress } from "./ports.ts";
import type { World } from "./world.ts";

/** How a run ended, or that it is held. */
export type RunResult =
  | (RunEnd & { readonly gate: null })
  | (RunProgress & { readonly status: "held"; readonly gate: GateReport });

/** The run's counts as they grow: told to the caller at once, to the store at every step and once in a while. */
export class Report {
  counts: RunCounts = noCounts;
  readonly #run: RunIdentity;
  readonly #world: World;
  #storedAt = 0;

  constructor(run: RunIdentity, world: World) {
    this.#run = run;
    this.#world = world;
  }

  async step(status: RunProgress["status"], counts: Partial<RunCounts> = {}): Promise<void> {
    this.counts = { ...this.counts, ...counts };
    const progress = { status, counts: this.counts };
    this.#world.onProgress?.(progress);
    await this.#world.store.progress(this.#run, progress);
  }

  sent(counts: Partial<RunCounts>): void {
    this.counts = { ...this.counts, ...counts };
    const progress = { status: "sending", counts: this.counts } as const;
    this.#world.onProgress?.(progress);
    const now = this.#world.clock.now().getTime();
    if (now - this.#storedAt < 1000) return;
    this.#storedAt = now;
    // Only for those who watch: the journal is the truth, and a fence is met by the next append.
    this.#world.store.progress(this.#run, progress).catch(() => undefined);
  }

  /** Status, counts and reasons in one write: whoever sees a held run sees why. */
  async hold(gate: GateReport, plan: PlanCounts): Promise<RunResult> {
    this.counts = { ...this.counts, plan };
    const progress = { status: "held", counts: this.counts } as const;
    await this.#world.store.hold(this.#run, gate, progress);
    this.#world.onProgress?.(progress);
    return { ...progress, gate };
  }

  async end(end: RunEnd, options: { keepJournal: boolean } = { keepJournal: false }): Promise<RunResult> {
    await this.#world.store.end(this.#run, end, options);
    this.#world.onProgress?.(end);
    return { ...end, gate: null };
  }
}
