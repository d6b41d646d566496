/** Decides of each planned change whether it is sent. */
import type { Operation } from "../destination.ts";
import type { OutcomeRow, PlannedChange } from "../warehouse.ts";
import { operationFor, type SendableChange } from "./batch.ts";
import type { InvalidRow, RowMapper } from "./map.ts";
import type { RunKind, SyncSpec } from "./ports.ts";

/** By what it is decided. */
export interface Sorting {
  readonly spec: SyncSpec;
  readonly map: RowMapper;
  /** `full` sends records also when the destination is known to hold them already; `baseline` sends none. */
  readonly kind: RunKind;
}

/** A change that is invalid, needs no request, or is to be sent. */
export type Sorted =
  | { readonly invalid: InvalidRow }
  | { readonly already: OutcomeRow }
  | { readonly operation: Operation; readonly sendable: SendableChange };

/** What becomes of a planned change in a run of this kind. */
export function whatToSend({ spec, map, kind }: Sorting, planned: PlannedChange): Sorted {
  const fault = keyFaults[planned.kind];
  if (fault) return { invalid: { seq: planned.seq, code: planned.kind, message: fault, field: undefined } };
  const operation = operationFor(planned, spec);
  if (operation === "nothing")
    return { already: { seq: planned.seq, kind: "accepted", recordHash: planned.known?.recordHash ?? undefined } };
  const mapped = map(planned);
  if (mapped.kind === "invalid") return { invalid: mapped.row };
  const { recordHash } = mapped;
  if (kind === "baseline") return { already: { seq: planned.seq, kind: "accepted", recordHash } };
  const held = planned.kind === "changed" && planned.known?.recordHash === recordHash;
  if (held && kind !== "full" && !planned.named) return { already: { seq: planned.seq, kind: "accepted", recordHash } };
  const { change, matchJson, recordJson } = mapped;
  return { operation, sendable: { rowKey: planned.rowKey, change, recordHash, matchJson, recordJson } };
}

const keyFaults: Readonly<Partial<Record<PlannedChange["kind"], string>>> = {
  null_key: "The row's key is null. Every row of the model needs one.",
  duplicate_key: "Another row of the model has the same key. None of them is sent.",
  duplicate_match:
    "Another row of the model has the same match values, so both would be one record. None of them is sent.",
};
