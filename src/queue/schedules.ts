/** Starts the runs of schedules that are due. */
import { defaultRepeatStrategy } from "bullmq";
import { SluiceError } from "../errors.ts";
import type { Store } from "../store/open.ts";
import type { Schedule, ScheduledSync } from "../store/schedules.ts";

/** Asks for a run of a sync, and rings for it. */
export type StartRun = (sync: string) => Promise<unknown>;

/**
 * When a schedule is due next after `dueAt`, and after now: what was missed is made up for by one run, not by many.
 * `every` keeps its step, however late one of its runs was started.
 */
export function nextDue(schedule: Schedule, dueAt: Date, now: Date): Date {
  if ("everyMs" in schedule) {
    const missed = Math.max(0, Math.floor((now.getTime() - dueAt.getTime()) / schedule.everyMs));
    return new Date(dueAt.getTime() + (missed + 1) * schedule.everyMs);
  }
  return nextOf(schedule.cron, schedule.timezone, now);
}

function nextOf(cron: string, timezone: string, now: Date): Date {
  try {
    const next = defaultRepeatStrategy(now.getTime(), { pattern: cron, tz: timezone });
    if (next !== undefined) return new Date(next);
  } catch {
    // The 30th of February is refused; a date in the far future is not found. Both mean the same.
  }
  throw new SluiceError("schedule_never", `The schedule "${cron}" is never due.`, {
    hint: "Choose a date that exists.",
  });
}

/** When a new or changed schedule is due first: `every` at once, `cron` when it says. */
function firstDue({ schedule, now }: ScheduledSync): Date {
  return "everyMs" in schedule ? now : nextDue(schedule, now, now);
}

/** Starts every sync whose time has come, once, however many processes look at the same time. */
export async function startDue(store: Store, startRun: StartRun, onError: (error: unknown) => void): Promise<void> {
  await store.schedules.prune();
  for (const one of await store.schedules.list()) {
    try {
      await startOne(store, one, startRun);
    } catch (error) {
      // One sync's trouble is not the others'.
      onError(error);
    }
  }
}

async function startOne(store: Store, one: ScheduledSync, startRun: StartRun): Promise<void> {
  const { sync, schedule, now } = one;
  const dueAt = one.nextAt ?? firstDue(one);
  if (one.nextAt === null) await store.schedules.begin(sync, dueAt);
  if (dueAt > now || !(await store.schedules.take(sync, dueAt))) return;
  try {
    await startRun(sync);
  } catch (error) {
    // A run that cannot be started for what the documents say, or while another is held, has had its turn. One that
    // could not be stored has not: it is tried again.
    if (!(error instanceof SluiceError)) throw error;
    await store.schedules.advance(sync, dueAt, nextDue(schedule, dueAt, now));
    throw error;
  }
  await store.schedules.advance(sync, dueAt, nextDue(schedule, dueAt, now));
}
