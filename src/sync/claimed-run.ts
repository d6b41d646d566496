/** A run that a worker has taken, with all that decides how it is done. */
import type { RowKey } from "../warehouse.ts";
import type { RunToSend } from "./send.ts";

/** `new` is planned first; `released` goes on with the plan that the gate held; `lost` is only settled. */
export interface ClaimedRun extends RunToSend {
  /** Rows that are sent even if nothing about them changed. */
  readonly keys: readonly RowKey[];
  readonly stage: "new" | "released" | "lost";
  /** Of a revert: the run that it undoes. */
  readonly reverts?: string | undefined;
}
