/** When a schedule is due. Pure: the time is given. */
import { hash } from "node:crypto";
import { Cron } from "croner";

/** Every so often, or at the times of a cron expression. */
export type Schedule = ({ readonly everyMs: number } | { readonly cron: string; readonly timezone: string }) & {
  /** How much later a run begins at most, so that not all begin together. */
  readonly jitterMs: number;
};

/**
 * The next time of a schedule after `dueAt`, and after now: what was missed is made up for by one run, not by many.
 * `every` keeps its step, however late one of its runs was started. A time of cron that the clocks leave out comes at
 * the next moment that there is; one that comes twice counts once. Null when there is none.
 */
export function nextTime(schedule: Schedule, dueAt: Date, now: Date): Date | null {
  if ("everyMs" in schedule) {
    const missed = Math.max(0, Math.floor((now.getTime() - dueAt.getTime()) / schedule.everyMs));
    return new Date(dueAt.getTime() + (missed + 1) * schedule.everyMs);
  }
  return nextOfCron(schedule, now > dueAt ? now : dueAt);
}

/** With an hour of `*` it is about hours that pass; else about times on the clock, each of which counts once a day. */
function nextOfCron({ cron, timezone }: { cron: string; timezone: string }, from: Date): Date | null {
  const isHourly = cron.trim().split(/\s+/)[1]?.includes("*") ?? false;
  const expression = new Cron(cron, { mode: "5-part", paused: true, timezone: isHourly ? timezone : "UTC" });
  if (isHourly) return expression.nextRun(from);
  // The clock's times, written as if they were UTC.
  let wall: Date | null = new Date(from.getTime() + aheadMs(from.getTime(), timezone));
  for (;;) {
    wall = expression.nextRun(wall);
    if (wall === null) return null;
    const time = firstMoment(wall.getTime(), timezone);
    // One that comes again, because the clocks were put back, has been.
    if (time > from.getTime()) return new Date(time);
  }
}

const dayMs = 86_400_000;

/** When clocks first show a time, or have just left it out. */
function firstMoment(wall: number, timezone: string): number {
  const [before, after] = [aheadMs(wall - dayMs, timezone), aheadMs(wall + dayMs, timezone)];
  const moments = [wall - before, wall - after].filter((time) => time + aheadMs(time, timezone) === wall);
  if (moments.length > 0) return Math.min(...moments);
  // The clocks were put forward past it, somewhere between what either side calls this time.
  let [shown, past] = [wall - after, wall - before];
  while (past - shown > 1) {
    const middle = Math.floor((shown + past) / 2);
    if (aheadMs(middle, timezone) === before) shown = middle;
    else past = middle;
  }
  return past;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a zone are ahead of UTC at a moment. */
function aheadMs(time: number, timezone: string): number {
  let clock = clocks.get(timezone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
    clocks.set(timezone, clock);
  }
  const name = clock.formatToParts(time).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign, hours = 0, minutes = 0, seconds = 0] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(name) ?? [];
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return sign === "-" ? -ms : ms;
}

/** When what is due at a time begins: later by a part of the jitter that is the same for this sync and this time. */
export function startTime(sync: string, { jitterMs }: Schedule, dueAt: Date): Date {
  if (jitterMs === 0) return dueAt;
  const drawn = hash("sha256", `${sync} ${dueAt.toISOString()}`, "buffer").readUInt32BE(0) / 2 ** 32;
  return new Date(dueAt.getTime() + Math.floor(drawn * jitterMs));
}
