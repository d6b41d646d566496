/** The ledger of a sync: which of its files count, and which runs are open. All changes of state are changes of it. */
import { z } from "zod";
import { WarehouseError } from "../../errors.ts";
import type { RunRef } from "../../warehouse.ts";
import { fenceOf, keepRunsMs, planGone, planOpen } from "../runs.ts";
import type { LedgerText, StateStore } from "./store.ts";

const file = z.string().regex(/^[a-z]+-[0-9a-f-]+\.parquet$/);

/** A plan's file, and the last seq that is to be sent. */
const plan = z.strictObject({ run: z.string(), file, last: z.int() });

const run = z.strictObject({
  id: z.string(),
  fence: z.int(),
  status: z.enum(["open", "committed", "discarded"]),
  plannedAt: z.int(),
});

const schema = z.strictObject({
  format: z.literal(1),
  /** What the destination is known to hold; null before the first commit. */
  state: file.nullable(),
  /** Rows that were refused, and until when they wait; null when there are none. */
  failed: file.nullable(),
  /** Rows of the model when it was last planned; 0 when it never was. */
  modelRows: z.int(),
  /** The salt of the last committed plan. */
  salt: z.string().nullable(),
  runs: z.array(run),
  /** The open run's plan. */
  plan: plan.extend({ salt: z.string().nullable(), outcomes: z.array(file) }).nullable(),
  /** The last dry run's. */
  preview: plan.nullable(),
});

export type Ledger = z.infer<typeof schema>;
export type PlanFile = z.infer<typeof plan>;

const empty: Ledger = {
  format: 1,
  state: null,
  failed: null,
  modelRows: 0,
  salt: null,
  runs: [],
  plan: null,
  preview: null,
};

/** Reads and changes one sync's ledger. */
export class LedgerBook {
  readonly #store: StateStore;
  readonly #sync: string;

  constructor(store: StateStore, sync: string) {
    this.#store = store;
    this.#sync = sync;
  }

  async read(): Promise<Ledger> {
    return parse(await this.#store.readLedger(this.#sync));
  }

  /**
   * Replaces the ledger by what `change` makes of it, which is asked again when another process was faster. When
   * `change` returns null nothing is replaced, and null is returned.
   */
  async change(change: (ledger: Ledger) => Ledger | null): Promise<Ledger | null> {
    for (;;) {
      const before = await this.#store.readLedger(this.#sync);
      const next = change(parse(before));
      if (next === null) return null;
      if (await this.#store.replaceLedger(this.#sync, JSON.stringify(next), before)) return next;
    }
  }

  async forget(): Promise<void> {
    await this.change(() => empty);
  }
}

function parse(stored: LedgerText | null): Ledger {
  if (stored === null) return empty;
  try {
    return schema.parse(JSON.parse(stored.text));
  } catch (cause) {
    throw new WarehouseError("broken_ledger", "The ledger of plan and state cannot be read.", {
      hint: "Nothing else may write to its place, and a newer version of Sluice may have. Bring it back from a backup.",
      cause,
    });
  }
}

/** The run, when it is open. */
export function openRun(ledger: Ledger, id: string): RunRef | undefined {
  return ledger.runs.find((one) => one.id === id && one.status === "open");
}

/** Fails when another run, or another hand on this one, has a plan that is not settled. */
export function requireNoOtherRun(ledger: Ledger, { id, fence }: RunRef): void {
  const other = ledger.runs.find((one) => one.status === "open" && (one.id !== id || one.fence > fence));
  if (other !== undefined) throw planOpen(other.id);
}

/** The plan of a run, as it is to be read. */
export function planOf(ledger: Ledger, { id }: RunRef, dryRun: boolean): PlanFile {
  const found = dryRun ? ledger.preview : ledger.plan;
  if (found?.run !== id) throw planGone(id);
  return found;
}

/** Registers a run and its plan as open: from now on recovery finds it. */
export function opened(ledger: Ledger, ref: RunRef, planned: PlanFile & { salt: string | null }, now: Date): Ledger {
  requireNoOtherRun(ledger, ref);
  const remembered = ledger.runs.filter(
    ({ id, status, plannedAt }) => id !== ref.id && (status === "open" || plannedAt >= now.getTime() - keepRunsMs),
  );
  const registered = { ...ref, status: "open" as const, plannedAt: now.getTime() };
  return { ...ledger, runs: [...remembered, registered], plan: { ...planned, outcomes: [] } };
}

/** Raises an open run's fence; null when it is not open, or has one as high. */
export function takenOver(ledger: Ledger, ref: RunRef): Ledger | null {
  fenceOf(ref);
  const found = openRun(ledger, ref.id);
  if (found === undefined || found.fence >= ref.fence) return null;
  return { ...ledger, runs: ledger.runs.map((one) => (one === found ? { ...one, fence: ref.fence } : one)) };
}

/** Closes a run; its plan goes with it. */
export function closed(ledger: Ledger, ref: RunRef, status: "committed" | "discarded"): Ledger {
  return { ...ledger, runs: ledger.runs.map((one) => (one.id === ref.id ? { ...one, status } : one)), plan: null };
}

/** Every file that counts. */
export function filesOf({ state, failed, plan: open, preview }: Ledger): ReadonlySet<string> {
  return new Set([state, failed, open?.file, preview?.file, ...(open?.outcomes ?? [])].filter((one) => one != null));
}
