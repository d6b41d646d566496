/** Gathers changes into batches: of one operation, within the destination's limits, no record twice. */
import type { Batch, BatchLimit, Change, Mode, Operation } from "../destination.ts";
import type { PlannedChange } from "../warehouse.ts";
import type { SendableRecord } from "./map.ts";
import type { KeptChange, SyncSpec } from "./ports.ts";

/** A change that is to be sent. */
export interface SendableChange extends SendableRecord {
  readonly rowKey: string;
}

/** A change in a batch, with what its outcome needs to know later. */
export interface BatchedChange extends KeptChange {
  readonly change: Change;
}

export interface SendableBatch {
  readonly operation: Operation;
  readonly changes: readonly BatchedChange[];
}

/** What is to be done with a planned change; `nothing` when the mode leaves such a change alone. */
export function operationFor(planned: PlannedChange, spec: SyncSpec): Operation | "nothing" {
  if (planned.kind === "removed") return spec.removed === "ignore" || planned.reclaimed ? "nothing" : spec.removed;
  const once = spec.mode === "insert" || spec.mode === "append";
  // A row that was sent once stays as it is, unless it is in doubt whether it ever arrived.
  if (once && planned.kind === "changed" && planned.known?.recordHash != null) return "nothing";
  return operations[spec.mode];
}

const operations: Readonly<Record<Mode, Operation>> = {
  upsert: "upsert",
  mirror: "upsert",
  update: "update",
  insert: "insert",
  append: "append",
};

export class Batcher {
  readonly #limit: BatchLimit;
  #operation: Operation | null = null;
  #changes: BatchedChange[] = [];
  #matches = new Set<string>();
  #bytes = 0;

  constructor(limit: BatchLimit) {
    this.#limit = limit;
  }

  /** Adds a change. Returns the batch that had to be closed to make room, if any. */
  add(operation: Operation, sendable: SendableChange): SendableBatch | null {
    const { matchJson: match, recordJson } = sendable;
    const bytes = this.#limit.bytes === undefined ? 0 : Buffer.byteLength(recordJson) + match.length;
    const closed = this.#hasRoom(operation, match, bytes) ? null : this.take();
    this.#operation = operation;
    const { change, rowKey, recordHash } = sendable;
    this.#changes.push({ seq: change.seq, change, rowKey, recordHash });
    this.#matches.add(match);
    this.#bytes += bytes;
    return closed;
  }

  /** The open batch, if it has any change; the next one starts empty. */
  take(): SendableBatch | null {
    const operation = this.#operation;
    const changes = this.#changes;
    this.#operation = null;
    this.#changes = [];
    this.#matches = new Set();
    this.#bytes = 0;
    return operation === null ? null : { operation, changes };
  }

  #hasRoom(operation: Operation, match: string, bytes: number): boolean {
    if (this.#operation === null) return true;
    return (
      this.#operation === operation &&
      this.#changes.length < (this.#limit.recordsOf?.[operation] ?? this.#limit.records) &&
      (this.#limit.bytes === undefined || this.#bytes + bytes <= this.#limit.bytes) &&
      !this.#matches.has(match)
    );
  }
}

/** The batch as the adapter takes it. */
export function toBatch(spec: SyncSpec, runId: string, operation: Operation, changes: readonly BatchedChange[]): Batch {
  return {
    object: spec.object,
    settings: spec.settings,
    operation,
    fields: spec.fields.map(({ target }) => target),
    match: Object.keys(spec.match),
    changes: changes.map(({ change }) => change),
    id: `${runId}-${changes[0]?.change.seq ?? 0}-${changes.length}`,
  };
}
