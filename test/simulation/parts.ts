/** The parts of divided plans in memory, as the control store keeps them. */
import {
  type Division,
  type DivisionState,
  FencedError,
  type JournalEntry,
  type Part,
  type PartStore,
  type RunIdentity,
  type SentCounts,
} from "../../src/sync/ports.ts";
import { nothingSent, plus } from "../../src/sync/sent.ts";
import type { Column } from "../../src/warehouse.ts";
import type { SimulatedStore } from "./store.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface StoredPart {
  readonly no: number;
  readonly to: number;
  reached: number;
  fence: number;
  /** Null: nobody's. Infinity: the run's own worker's. */
  until: number | null;
  ended: boolean;
  sent: SentCounts;
}

interface StoredDivision {
  readonly columns: readonly Column[];
  readonly parts: readonly StoredPart[];
  stopped: boolean;
}

export class SimulatedParts implements PartStore {
  readonly #divisions = new Map<string, StoredDivision>();
  readonly #store: SimulatedStore;
  readonly #time: VirtualTime;

  constructor(store: SimulatedStore, time: VirtualTime) {
    this.#store = store;
    this.#time = time;
  }

  /** Whether somebody may still send a part of any run. */
  get isAnybodyThere(): boolean {
    return [...this.#divisions.values()].some(({ parts }) => parts.some((part) => this.#isJoined(part)));
  }

  /** The columns of a run that another worker may join. */
  joinable(runId: string): readonly Column[] | null {
    const division = this.#divisions.get(runId);
    if (!division || division.stopped || !division.parts.some((part) => this.#isFree(part))) return null;
    return division.columns;
  }

  forget(runId: string): void {
    this.#divisions.delete(runId);
  }

  async divide(run: RunIdentity, { columns, stretches }: Division): Promise<void> {
    this.#store.held(run);
    const parts = stretches.map(([from, to], no) => ({
      no,
      to,
      reached: from - 1,
      fence: 0,
      until: null,
      ended: false,
      sent: nothingSent,
    }));
    this.#divisions.set(run.id, { columns, parts, stopped: false });
  }

  async take(run: RunIdentity, as: "owner" | "joined"): Promise<Part | null> {
    const { leaseUntil } = this.#store.held(run);
    const division = this.#divisions.get(run.id);
    const part = division?.stopped === false ? division.parts.find((one) => this.#isFree(one)) : undefined;
    if (!part) return null;
    part.fence += 1;
    part.until = as === "owner" ? Number.POSITIVE_INFINITY : leaseUntil;
    const { no, fence, to, reached, sent } = part;
    return { run, no, fence, from: reached + 1, to, before: sent, forMs: part.until - this.#time.now() };
  }

  async renew(part: Part, sent: SentCounts): Promise<{ readonly stopped: boolean; readonly forMs: number }> {
    const until = this.#store.held(part.run).leaseUntil;
    Object.assign(this.#own(part), { until, sent });
    return { stopped: this.#divisions.get(part.run.id)?.stopped ?? true, forMs: until - this.#time.now() };
  }

  async append(part: Part, entry: JournalEntry): Promise<void> {
    this.#store.held(part.run);
    const own = this.#own(part);
    own.reached = Math.max(own.reached, ...entry.sending.map(([, to]) => to));
    await this.#store.append(part.run, entry);
  }

  async end(part: Part, sent: SentCounts): Promise<void> {
    this.#store.held(part.run);
    Object.assign(this.#own(part), { ended: true, until: null, sent });
  }

  async giveBack(part: Part, sent: SentCounts): Promise<void> {
    this.#store.held(part.run);
    Object.assign(this.#own(part), { until: null, sent });
  }

  async stop(run: RunIdentity): Promise<void> {
    this.#store.held(run);
    const division = this.#divisions.get(run.id);
    if (division) division.stopped = true;
  }

  async look(run: RunIdentity): Promise<DivisionState> {
    this.#store.held(run);
    const parts = this.#divisions.get(run.id)?.parts ?? [];
    return {
      waiting: parts.filter((part) => this.#isFree(part)).length,
      joined: parts.filter((part) => this.#isJoined(part)).length,
      retaken: parts.some(({ fence }) => fence > 1),
      sent: parts.map(({ sent }) => sent).reduce(plus, nothingSent),
    };
  }

  #isFree({ ended, until }: StoredPart): boolean {
    return !ended && (until === null || until <= this.#time.now());
  }

  #isJoined({ ended, until }: StoredPart): boolean {
    return !ended && until !== null && until !== Number.POSITIVE_INFINITY && until > this.#time.now();
  }

  #own({ run, no, fence }: Part): StoredPart {
    const part = this.#divisions.get(run.id)?.parts[no];
    if (part?.fence !== fence || part.ended) throw new FencedError(run.id);
    return part;
  }
}
