/** When schedules are due: a year in several time zones, against the calendar itself. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextTime, type Schedule, startTime } from "../../src/triggers/schedule.ts";

const at = (text: string): Date => new Date(text);
const minuteMs = 60_000;
const year = { from: at("2026-11-23T00:00:00Z").getTime(), until: at("2027-11-23T00:00:00Z").getTime() };

describe("when a schedule is due next", () => {
  test("every keeps its step, however late a run was started, and makes up for what was missed once", () => {
    const every = { everyMs: 900_000, jitterMs: 0 };
    const due = at("2026-11-23T10:00:00Z");
    expect(nextTime(every, due, due)).toEqual(at("2026-11-23T10:15:00Z"));
    expect(nextTime(every, due, at("2026-11-23T10:14:59Z"))).toEqual(at("2026-11-23T10:15:00Z"));
    expect(nextTime(every, due, at("2026-11-23T13:00:01Z"))).toEqual(at("2026-11-23T13:15:00Z"));
  });

  test.each([
    [
      "in spring, a time that is left out comes when the clocks have been put forward",
      "Europe/Berlin",
      "30 2 * * *",
      "2027-03-28T01:00:00Z",
    ],
    ["also where they are by half an hour", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03T15:30:00Z"],
    ["also where midnight is left out", "America/Santiago", "0 0 * * *", "2026-09-06T04:00:00Z"],
    [
      "in autumn, a time that comes twice counts when it first comes",
      "Europe/Berlin",
      "30 2 * * *",
      "2026-10-25T00:30:00Z",
    ],
  ])("%s", (_, timezone, cron, expected) => {
    const before = new Date(at(expected).getTime() - 12 * 3_600_000);
    expect(nextTime({ cron, timezone, jitterMs: 0 }, before, before)).toEqual(at(expected));
  });

  test("a date that never comes is none", () => {
    const now = at("2026-01-01T00:00:00Z");
    expect(nextTime({ cron: "0 0 30 2 *", timezone: "UTC", jitterMs: 0 }, now, now)).toBeNull();
    expect(nextTime({ cron: "0 0 29 2 *", timezone: "UTC", jitterMs: 0 }, now, now)).toEqual(
      at("2028-02-29T00:00:00Z"),
    );
  });

  test("a jitter spreads syncs over its length, and is the same for a sync and a time wherever it is reckoned", () => {
    const schedule = { everyMs: 3_600_000, jitterMs: 120_000 };
    const due = at("2026-11-23T10:00:00Z");
    const late = Array.from({ length: 500 }, (_, n) => startTime(`sync-${n}`, schedule, due).getTime() - due.getTime());
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThan(120_000);
    const firstHalf = late.filter((ms) => ms < 60_000).length;
    expect(firstHalf).toBeGreaterThan(200);
    expect(firstHalf).toBeLessThan(300);
    expect(startTime("one", schedule, due)).toEqual(startTime("one", schedule, due));
  });
});

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Santiago",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "Africa/Casablanca",
  "Pacific/Chatham",
];

/** Cron expressions with the times of a day, and the days, that they mean. */
const crons: readonly { cron: string; times: readonly number[]; day: (date: Date) => boolean; wildHour: boolean }[] = [
  { cron: "30 2 * * *", times: [150], day: () => true, wildHour: false },
  { cron: "0 0 * * *", times: [0], day: () => true, wildHour: false },
  { cron: "15,45 1-3 * * *", times: [75, 105, 135, 165, 195, 225], day: () => true, wildHour: false },
  { cron: "0 6 * * 1-5", times: [360], day: (date) => date.getUTCDay() % 6 !== 0, wildHour: false },
  { cron: "10 3 1 * *", times: [190], day: (date) => date.getUTCDate() === 1, wildHour: false },
  { cron: "0 * * * *", times: Array.from({ length: 24 }, (_, hour) => hour * 60), day: () => true, wildHour: true },
];

/** How far the clocks of a zone are ahead at each quarter of an hour of the year, in minutes. Clocks change at quarters. */
function offsets(timezone: string): readonly number[] {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  });
  const ahead: number[] = [];
  for (let time = year.from; time < year.until; time += 15 * minuteMs) {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const { year: y = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    ahead.push((Date.UTC(y, month - 1, day, hour, minute) - time) / minuteMs);
  }
  return ahead;
}

/**
 * The times that a cron expression means in a year, by walking through it: those on the clock, each when it first comes;
 * and those that the clocks leave out, at the moment of the change. With an hour of `*` a time that comes twice counts
 * twice: an hour has passed.
 */
function expected(timezone: string, { times, day, wildHour }: (typeof crons)[number]): readonly string[] {
  const ahead = offsets(timezone);
  const means = (local: number): boolean => times.includes((local / minuteMs) % 1440) && day(new Date(local));
  const seen = new Set<number>();
  const found = new Set<number>();
  for (const [quarter, offset] of ahead.entries()) {
    const start = year.from + quarter * 15 * minuteMs;
    const before = ahead[quarter - 1] ?? offset;
    for (let skipped = before; skipped < offset; skipped += 1) {
      if (means(start + skipped * minuteMs) && !wildHour) found.add(start);
    }
    for (let time = start; time < start + 15 * minuteMs; time += minuteMs) {
      const local = time + offset * minuteMs;
      if (!means(local) || (seen.has(local) && !wildHour)) continue;
      seen.add(local);
      found.add(time);
    }
  }
  return [...found].toSorted((one, other) => one - other).map((time) => new Date(time).toISOString());
}

/** All times of a schedule in the year, asked for one after another. */
function reckoned(schedule: Schedule): readonly string[] {
  const times: string[] = [];
  let time = new Date(year.from - 1);
  for (;;) {
    const next = nextTime(schedule, time, time);
    if (next === null || next.getTime() >= year.until) return times;
    times.push(next.toISOString());
    time = next;
  }
}

describe("a year of a schedule has none early, none doubled and none missed", () => {
  test.each(zones)("in %s", (timezone) => {
    for (const one of crons) {
      // With an hour of `*`, what the clocks leave out is no hour that has passed, and may count or not.
      const changes = one.wildHour ? changesOf(timezone) : new Set<string>();
      const times = reckoned({ cron: one.cron, timezone, jitterMs: 0 }).filter((time) => !changes.has(time));
      expect(times, one.cron).toEqual(expected(timezone, one).filter((time) => !changes.has(time)));
    }
  });
});

/** When the clocks change. */
function changesOf(timezone: string): ReadonlySet<string> {
  const ahead = offsets(timezone);
  const changes = ahead.flatMap((offset, at) => (at > 0 && offset > (ahead[at - 1] ?? 0) ? [at] : []));
  return new Set(changes.map((quarter) => new Date(year.from + quarter * 15 * minuteMs).toISOString()));
}

test("whoever looks at any times, also after a long absence, starts each due time once, never early, and makes up for all that was missed by one", () => {
  const schedules = fc.oneof(
    fc.record({ everyMs: fc.integer({ min: 60_000, max: 7_200_000 }), jitterMs: fc.constantFrom(0, 30_000) }),
    fc.record({
      cron: fc.constantFrom(...crons.map(({ cron }) => cron)),
      timezone: fc.constantFrom(...zones),
      jitterMs: fc.constantFrom(0, 600_000),
    }),
  );
  const looks = fc.array(
    fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 1000, max: 400_000 }) },
      fc.integer({ min: 1, max: 10_000_000 }),
    ),
    { minLength: 200, maxLength: 400 },
  );
  fc.assert(
    fc.property(schedules, looks, fc.integer({ min: year.from, max: year.until }), (schedule, pauses, from) => {
      let now = from;
      let due = nextTime(schedule, new Date(now), new Date(now));
      for (const pause of pauses) {
        now += pause;
        if (due === null) return;
        const isDue = startTime("sync", schedule, due).getTime() <= now;
        if (!isDue) continue;
        expect(due.getTime()).toBeLessThanOrEqual(now);
        const next = nextTime(schedule, due, new Date(now));
        if (next === null) return;
        // Never the same again, and nothing that has passed already.
        expect(next.getTime()).toBeGreaterThan(Math.max(due.getTime(), now - 1));
        // Nothing between now and then was left out.
        const between = nextTime(schedule, new Date(now), new Date(now));
        if (!("everyMs" in schedule)) expect(next).toEqual(between);
        else expect(next.getTime() - now).toBeLessThanOrEqual(schedule.everyMs);
        due = next;
      }
    }),
    { numRuns: 200 },
  );
});
