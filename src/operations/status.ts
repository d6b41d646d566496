/** How the syncs stand, and whether they run at all. */
import type { Documents } from "../documents/documents.ts";
import type { SyncDocument } from "../documents/sync.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { ScheduledSync } from "../store/schedules.ts";
import { nextTime, startTime } from "../triggers/schedule.ts";
import { storedDocuments } from "./documents.ts";
import type { StatusView } from "./run-schemas.ts";
import type { Service } from "./service.ts";
import { runView } from "./views.ts";

/** Every sync, with its last run and its next. */
export async function status(service: Service): Promise<readonly StatusView[]> {
  const { syncs } = await storedDocuments(service);
  const [last, scheduled, paused] = await Promise.all([
    service.store.runs.last(),
    service.store.schedules.list(),
    service.store.pauses.list(),
  ]);
  const runs = new Map(last.map((run) => [run.sync, run]));
  const schedules = new Map(scheduled.map((one) => [one.sync, one]));
  return [...syncs.values()].map((sync) => {
    const run = runs.get(sync.name);
    const { model, segment } = sync.from;
    const isPaused = paused.has(sync.name);
    return {
      sync: sync.name,
      from: segment === undefined ? model : `${model} / ${segment}`,
      to: `${sync.to.destination} / ${sync.to.object}`,
      schedule: scheduleText(sync),
      after: sync.after?.sync ?? null,
      paused: isPaused,
      next_run: isPaused ? null : nextRun(schedules.get(sync.name)),
      last_run: run ? runView(run, service.clock.now()) : null,
    };
  });
}

/** No run of the sync begins until it is resumed. One that is under way goes on. */
export async function pause(sync: string, author: string, service: Service): Promise<StatusView> {
  requireSync(sync, await storedDocuments(service));
  await service.store.pauses.pause(sync, author);
  return await statusOf(sync, service);
}

/** Runs of the sync begin again. */
export async function resume(sync: string, service: Service): Promise<StatusView> {
  requireSync(sync, await storedDocuments(service));
  await service.store.pauses.resume(sync);
  return await statusOf(sync, service);
}

/** Throws ConflictError `sync_paused` where that is so. */
export async function requireNotPaused(sync: string, { store }: Service): Promise<void> {
  if (!(await store.pauses.list()).has(sync)) return;
  throw new ConflictError("sync_paused", `The sync "${sync}" is paused: no run of it begins.`, {
    hint: `"sluice resume ${sync}" lets it run again.`,
  });
}

async function statusOf(sync: string, service: Service): Promise<StatusView> {
  const found = (await status(service)).find((one) => one.sync === sync);
  if (!found) throw new NotFoundError("not_found", `There is no sync "${sync}".`);
  return found;
}

function requireSync(sync: string, { syncs }: Documents): void {
  if (syncs.has(sync)) return;
  throw new NotFoundError("not_found", `There is no sync "${sync}"${nearest(sync, syncs.keys())}`);
}

/** A schedule that no service has looked at yet is due at once, or when its cron says. */
function nextRun(scheduled: ScheduledSync | undefined): string | null {
  if (!scheduled) return null;
  const { sync, schedule, nextAt, now } = scheduled;
  const dueAt = nextAt ?? ("everyMs" in schedule ? now : nextTime(schedule, now, now));
  return dueAt === null ? null : startTime(sync, schedule, dueAt).toISOString();
}

function scheduleText({ schedule }: SyncDocument): string | null {
  if (!schedule) return null;
  if (schedule.every !== undefined) return `every ${schedule.every}`;
  return `cron ${schedule.cron} ${schedule.timezone ?? "UTC"}`;
}
