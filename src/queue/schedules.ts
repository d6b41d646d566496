/** Starts the runs of schedules that are due. */
import { SluiceError } from "../errors.ts";
import type { Store } from "../store/open.ts";
import type { ScheduledSync } from "../store/schedules.ts";
import { nextTime, startTime } from "../triggers/schedule.ts";

/** Asks for a run of a sync, and rings for it. */
export type StartRun = (sync: string) => Promise<unknown>;

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
  const { sync, schedule, now, paused } = one;
  const dueAt = one.nextAt ?? firstTime(one);
  if (one.nextAt === null) await store.schedules.begin(sync, dueAt);
  if (startTime(sync, schedule, dueAt) > now || !(await store.schedules.take(sync, dueAt))) return;
  const advance = (): Promise<void> => store.schedules.advance(sync, dueAt, next(schedule, dueAt, now));
  try {
    // Times that pass while a sync is paused are not made up for.
    if (!paused) await startRun(sync);
  } catch (error) {
    // A run that cannot be started for what the documents say, or while another is held, has had its turn. One that
    // could not be stored has not: it is tried again.
    if (!(error instanceof SluiceError)) throw error;
    await advance();
    throw error;
  }
  await advance();
}

/** When a new or changed schedule is due first: `every` at once, `cron` when it says. */
function firstTime({ schedule, now }: ScheduledSync): Date {
  return "everyMs" in schedule ? now : next(schedule, now, now);
}

function next(schedule: ScheduledSync["schedule"], dueAt: Date, now: Date): Date {
  const time = nextTime(schedule, dueAt, now);
  if (time !== null) return time;
  throw new SluiceError("schedule_never", "The schedule is never due.", { hint: "Choose a date that exists." });
}
