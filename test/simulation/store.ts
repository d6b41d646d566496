/** The control store in memory: runs with leases and fences, and their journals. */
import {
  FencedError,
  type GateReport,
  type InputsMark,
  type JournalEntry,
  type RunCounts,
  type RunEnd,
  type RunIdentity,
  type RunKind,
  type RunProgress,
  type RunStatus,
  type RunStore,
  type SyncSpec,
} from "../../src/sync/ports.ts";
import type { ClaimedRun } from "../../src/sync/claimed-run.ts";
import { SimulatedParts } from "./parts.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const leaseMs = 30_000;

export interface StoredRun {
  readonly id: string;
  readonly kind: RunKind;
  readonly keys: ClaimedRun["keys"];
  readonly spec: SyncSpec;
  status: RunStatus;
  released: boolean;
  fence: number;
  leaseUntil: number;
  counts: RunCounts | null;
  end: RunEnd | null;
}

const ended: ReadonlySet<RunStatus> = new Set<RunStatus>(["succeeded", "partial", "failed", "cancelled"]);

export class SimulatedStore implements RunStore {
  readonly runs = new Map<string, StoredRun>();
  readonly parts: SimulatedParts;
  readonly #journals = new Map<string, JournalEntry[]>();
  readonly #inputs = new Map<string, InputsMark>();
  readonly #time: VirtualTime;
  /** The newest. */
  fence = 0;
  cancelWanted = false;

  constructor(time: VirtualTime) {
    this.#time = time;
    this.parts = new SimulatedParts(this, time);
  }

  create(kind: RunKind, spec: SyncSpec, keys: StoredRun["keys"] = []): StoredRun {
    const id = `run${this.runs.size + 1}`;
    const run = {
      id,
      kind,
      keys,
      spec,
      status: "queued",
      released: false,
      fence: 0,
      leaseUntil: 0,
      counts: null,
      end: null,
    } satisfies StoredRun;
    this.runs.set(id, run);
    return run;
  }

  /** Hands a run to a worker, unless another one has the sync; a run that was under way is lost. */
  claim(id: string): ClaimedRun | null {
    const run = this.#run(id);
    const isHeld = [...this.runs.values()].some(({ leaseUntil }) => leaseUntil > this.#time.now());
    const busy = isHeld || this.parts.isAnybodyThere;
    if (busy || ended.has(run.status) || (run.status === "held" && !run.released)) return null;
    const stage = run.status === "queued" ? "new" : run.status === "held" ? "released" : "lost";
    run.fence = this.fence += 1;
    run.leaseUntil = this.#time.now() + leaseMs;
    run.status = "planning";
    return { id, sync: run.spec.name, fence: run.fence, kind: run.kind, keys: run.keys, stage, spec: run.spec };
  }

  release(id: string): void {
    this.#run(id).released = true;
  }

  async renew(identity: RunIdentity): Promise<{ readonly cancelRequested: boolean }> {
    this.held(identity).leaseUntil = this.#time.now() + leaseMs;
    return { cancelRequested: this.cancelWanted };
  }

  async progress(identity: RunIdentity, { status, counts }: RunProgress): Promise<void> {
    Object.assign(this.held(identity), { status, counts });
  }

  async hold(identity: RunIdentity, _report: GateReport, { counts }: RunProgress): Promise<void> {
    Object.assign(this.held(identity), { status: "held", counts, leaseUntil: 0 });
  }

  async append(identity: RunIdentity, entry: JournalEntry): Promise<void> {
    await this.appendLost(identity.id, identity, entry);
  }

  async appendLost(lostRunId: string, by: RunIdentity, entry: JournalEntry): Promise<void> {
    this.held(by);
    this.#journals.set(lostRunId, [...(this.#journals.get(lostRunId) ?? []), structuredClone(entry)]);
  }

  async *journal(runId: string): AsyncIterable<JournalEntry> {
    yield* this.#journals.get(runId) ?? [];
  }

  async end(identity: RunIdentity, end: RunEnd, { keepJournal }: { readonly keepJournal: boolean }): Promise<void> {
    const run = this.held(identity);
    Object.assign(run, { status: end.status, counts: end.counts, end, leaseUntil: 0 });
    if (!keepJournal) this.#forget(identity.id);
  }

  async endLost(lostRunId: string, by: RunIdentity, end: RunEnd): Promise<void> {
    this.held(by);
    const run = this.#run(lostRunId);
    if (ended.has(run.status) && run.end) run.end = { ...run.end, counts: end.counts };
    else Object.assign(run, { status: end.status, end, leaseUntil: 0 });
    run.counts = end.counts;
    this.#forget(lostRunId);
  }

  async inputs(stateName: string): Promise<InputsMark | null> {
    return this.#inputs.get(stateName) ?? null;
  }

  async keepInputs(identity: RunIdentity, stateName: string, mark: InputsMark | null): Promise<void> {
    this.held(identity);
    if (mark) this.#inputs.set(stateName, mark);
    else this.#inputs.delete(stateName);
  }

  async counts(runId: string): Promise<RunCounts | null> {
    return this.runs.get(runId)?.counts ?? null;
  }

  #forget(runId: string): void {
    this.#journals.delete(runId);
    this.parts.forget(runId);
  }

  /** Only the sync's newest fence may write, until it has given its lease back. */
  held({ id, fence }: RunIdentity): StoredRun {
    const run = this.#run(id);
    if (fence !== this.fence || run.fence !== fence || run.leaseUntil === 0) throw new FencedError(id);
    return run;
  }

  #run(id: string): StoredRun {
    const run = this.runs.get(id);
    if (!run) throw new Error(`no run ${id}`);
    return run;
  }
}
