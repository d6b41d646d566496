/** The records of a run, for a sync that keeps values. */
import { SluiceError } from "../errors.ts";
import type { Column, Planner, RevertCounts, RunRef, StagedRecord } from "../warehouse.ts";
import type { RowMapper } from "./map.ts";
import type { SyncSpec } from "./ports.ts";
import { conditionalFields } from "./when.ts";

/** Rows of the plan that are in memory at a time. */
const pageRows = 1000;

/** Maps a run's plan once more. Fields that are not always written are not kept: it is not known whether they were. */
export async function* stagedRecords(
  run: RunRef & { readonly spec: SyncSpec },
  columns: readonly Column[],
  map: RowMapper,
  planner: Planner,
): AsyncGenerator<readonly StagedRecord[]> {
  const conditional = conditionalFields(run.spec);
  for await (const page of planner.read(run, { columns, pageRows })) {
    yield page.flatMap((planned) => {
      if (planned.kind !== "added" && planned.kind !== "changed") return [];
      const mapped = map(planned);
      if (mapped.kind === "invalid") return [];
      const { match } = mapped.change;
      const record = Object.fromEntries(
        Object.entries(mapped.change.record).filter(([field]) => !conditional.has(field)),
      );
      return [{ seq: planned.seq, recordHash: mapped.recordHash, record: JSON.stringify({ match, record }) }];
    });
  }
}

/** Nothing is known of the records: those that were accepted are not kept. */
export async function* noRecords(): AsyncGenerator<readonly StagedRecord[]> {
  yield* [];
}

/** Plans what undoes a run. Throws where nothing was kept, or nothing of it can be undone. */
export async function planRevert(
  { id, fence, reverts, spec }: RunRef & { readonly reverts: string; readonly spec: SyncSpec },
  { planner, now, dryRun = false }: { planner: Planner; now: Date; dryRun?: boolean },
  signal: AbortSignal,
): Promise<RevertCounts> {
  if (!planner.records || spec.keepValues !== true) throw keepsNone(spec.name);
  return await planner.records.planRevert({ run: { id, fence }, reverts, now, dryRun }, signal);
}

function keepsNone(sync: string): SluiceError {
  return new SluiceError("values_not_kept", `Sync "${sync}" did not keep what its runs replaced.`, {
    hint: "Runs can be undone that begin after its document says keep: values.",
  });
}

/** A sync cannot keep values where its plan and state are outside of the warehouse. */
export function requireKeeping({ name, keepValues }: SyncSpec, planner: Planner): void {
  if (keepValues !== true || planner.records) return;
  throw new SluiceError("keep_unsupported", `Sync "${name}" keeps values, but its source is only read.`, {
    hint: "Take keep: values out of the sync, or let its source keep plan and state in the warehouse.",
  });
}
