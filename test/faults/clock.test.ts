/** Workers whose clocks are an hour off: what is due, and whose a run is, the database's clock decides. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { recoveryMs, Site } from "./site.ts";

const folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib"];
const library = folders.map((folder) => `${folder}/faketime/libfaketimeMT.so.1`).find(existsSync);
if (library === undefined) {
  process.stderr.write(
    "\n*** SKIPPED: tests with wrong clocks. Install libfaketime (apt-get install libfaketime). ***\n\n",
  );
}

/** Only the date is wrong: a clock that counts from the start of the machine always runs true. */
const wrongClock = (offset: string): Record<string, string> => ({
  LD_PRELOAD: library ?? "",
  FAKETIME: offset,
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
});

describe.runIf(hasRedisServer() && library !== undefined)("a site whose workers have wrong clocks", () => {
  test("starts nothing before its time, and loses nothing", async () => {
    await using site = await Site.open({ workers: 0, rows: 300, schedule: "schedule: { every: 30m }" });
    const early = await site.startWorker(wrongClock("+1h"));
    await expect.poll(async () => (await site.history()).length, { timeout: 20_000 }).toBe(1);
    await expectRecovery(site, "a worker's clock was an hour ahead");
    await site.edit(1);
    // The reconciler looks at the schedules meanwhile.
    await sleep(6000);
    expect((await site.history()).filter(({ trigger }) => trigger === "schedule")).toHaveLength(1);
    const { run } = await site.api.run();
    await site.api.settled(run, /sending/);
    await early.stop("SIGKILL");
    const killed = performance.now();
    await site.startWorker(wrongClock("-1h"));
    await site.api.recovered(run, recoveryMs);
    // The lease that the other clock was given is not over before its time either.
    expect(performance.now() - killed).toBeGreaterThan(20_000);
    await expectRecovery(site, "a worker whose clock was an hour ahead was killed, the next one's was an hour behind");
  });
});
