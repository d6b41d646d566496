/** Undoes a run, where its sync keeps values. */
import { ConflictError } from "../errors.ts";
import { fieldChanges } from "../sync/differences.ts";
import { compileRestorer } from "../sync/map.ts";
import { parseRecord } from "../sync/kept-record.ts";
import { planRevert } from "../sync/records.ts";
import { revertColumns, type PlannedChange, type Planner } from "../warehouse.ts";
import type { Run } from "../store/runs.ts";
import { changeView } from "./change-view.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { dryRun, Sample } from "./plan.ts";
import type { RevertView, RunView } from "./run-schemas.ts";
import type { Dispatch, Service } from "./service.ts";
import { runView } from "./views.ts";

/** What undoing a run would do now, with the first changes of each kind. Sends nothing. */
export async function previewRevert(id: string, limit: number, service: Service): Promise<RevertView> {
  const run = await service.store.runs.get(id);
  const { spec, source, destination } = await service.store.runs.specOf(id);
  const signal = new AbortController().signal;
  await using opened = new AsyncDisposableStack();
  const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
  const { place } = opened.use(await openDestination(destination, service));
  const planner = warehouse.planner(plannerName(spec, place));
  const now = service.clock.now();
  const asked = { ...dryRun, reverts: id, spec };
  const { plan, first, overtaken, unknown } = await planRevert(asked, { planner, now, dryRun: true }, signal);
  const sample = new Sample(limit);
  for (const afterSeq of [0, plan.changed]) {
    const options = { columns: revertColumns, pageRows: Math.max(limit, 1), afterSeq, limit, dryRun: true };
    for await (const page of planner.read(dryRun, options, signal)) await offerAll(page, sample, planner);
  }
  return {
    reverts: id,
    sync: run.sync,
    changed: plan.changed,
    restored: plan.added,
    first,
    overtaken,
    unknown,
    sample: sample.taken,
  };
}

async function offerAll(page: readonly PlannedChange[], sample: Sample, { records }: Planner): Promise<void> {
  const map = compileRestorer();
  const kept = (await records?.find(page.map(({ rowKey }) => rowKey))) ?? new Map<string, string>();
  for (const planned of page) {
    const now = kept.get(planned.rowKey);
    const after = parseRecord(planned.cells?.[0] ?? "{}");
    const changes = now === undefined ? null : fieldChanges(parseRecord(now).record, after.record);
    sample.offer(planned, () => changeView(planned, map, changes));
  }
}

/**
 * Asks for a run that undoes another one, and pauses the sync: its next run would send again what the model says.
 * Throws ConflictError `nothing_to_revert` where no record can go back.
 */
export async function startRevert(
  id: string,
  author: string,
  service: Service,
  ring: Dispatch["ring"],
): Promise<RunView> {
  const { store, clock } = service;
  const run = await store.runs.get(id);
  requireEnded(run);
  const { changed, restored, first, overtaken, unknown } = await previewRevert(id, 0, service);
  if (changed + restored === 0) {
    const rows = `${first} rows were new, ${overtaken} were sent again since, of ${unknown} nothing earlier was kept`;
    throw new ConflictError("nothing_to_revert", `No record of run ${id} can go back: ${rows}.`);
  }
  await store.pauses.pause(run.sync, author);
  const spec = await store.runs.specOf(id);
  const started = await store.runs.create({
    sync: run.sync,
    kind: "revert",
    trigger: `revert of ${id}`,
    spec,
    reverts: id,
  });
  await ring?.(started.id);
  return runView(started, clock.now());
}

function requireEnded({ id, endedAt, status }: Run): void {
  if (endedAt !== null) return;
  throw new ConflictError("run_not_ended", `Run ${id} has not ended: it is ${status}.`, {
    hint: "Cancel it, or let it end, and ask again.",
  });
}
