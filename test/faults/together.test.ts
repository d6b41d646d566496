/** A large plan is sent by several workers, and some of them are lost: nothing of it is. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isAccountedFor, type RunningService } from "../end-to-end/business.ts";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { Site } from "./site.ts";

const ended = /^(succeeded|partial|failed|cancelled)$/;

/** Ten parts, of which each takes a second and a half. */
const large = { rows: 4000, workers: 2, schedule: "", batchMs: 1500, settings: { SLUICE_PART_ROWS: "400" } } as const;

interface Together {
  readonly run: string;
  /** The worker whose run it is. */
  readonly own: RunningService;
  /** The one that has joined it. */
  readonly joined: RunningService;
}

/** Asks for a run, and resolves while two workers send it. */
async function sendTogether(site: Site): Promise<Together> {
  const { run } = await site.api.run();
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const parts = await site.control(`select 1 from app.parts where not ended and isfinite(expires_at)`);
    if (parts.length === 0) continue;
    const [[worker] = []] = await site.control(`select worker from app.leases where run_id = '${run}'`);
    const own = site.workers.find(({ pid }) => String(worker).endsWith(`:${pid}`));
    const joined = site.workers.find((one) => one !== own);
    if (own && joined) return { run, own, joined };
  }
  throw new Error(`nobody joined the run: ${site.told()}`);
}

describe.runIf(hasRedisServer())("a large plan", () => {
  test("is sent by two workers side by side, under one account of what became of it", async () => {
    await using site = await Site.open(large);
    const { run, joined } = await sendTogether(site);
    const sent = await site.api.settled(run, ended);
    expect(sent).toMatchObject({ status: "partial", accepted: 3997, invalid: 3, in_doubt: 0 });
    expect(sent.requests).toBeGreaterThanOrEqual(40);
    expect(site.held()).toEqual(await site.expected());
    await expect.poll(() => joined.output).toContain("took part in a run");
    expect(await site.control("select 1 from app.parts")).toEqual([]);
    await expectRecovery(site, "two workers sent one plan");
  });

  test("loses a worker that has joined: the run goes on, and only what that one was sending is in doubt", async () => {
    await using site = await Site.open(large);
    const { run, joined } = await sendTogether(site);
    await joined.stop("SIGKILL");
    const sent = await site.api.settled(run, ended, 60_000);
    expect(sent).toMatchObject({ status: "partial", unsent: 0 });
    expect(sent.in_doubt).toBeLessThanOrEqual(400);
    expect(isAccountedFor(sent)).toBe(true);
    await site.api.run();
    await expectRecovery(site, "a worker that had joined was killed");
  });

  test("loses the worker whose run it is: whoever had joined sends no more, and settles it", async () => {
    await using site = await Site.open(large);
    const { run, own } = await sendTogether(site);
    await own.stop("SIGKILL");
    const lost = await site.api.settled(run, ended, 60_000);
    expect(lost).toMatchObject({ status: "failed", failure: { code: "worker_lost" } });
    expect(isAccountedFor(lost)).toBe(true);
    await expectRecovery(site, "the worker of a run that others had joined was killed");
  });

  test("is gone on with when a worker that has joined stands still, which sends nothing when it wakes", async () => {
    await using site = await Site.open(large);
    const { run, joined } = await sendTogether(site);
    joined.freeze();
    const sent = await site.api.settled(run, ended, 60_000);
    expect(isAccountedFor(sent)).toBe(true);
    await site.edit(1);
    await site.api.run();
    await expectRecovery(site, "a worker that had joined stood still");
    const [holding, before] = [site.held(), await site.writes()];
    joined.thaw();
    await sleep(4000);
    expect(await site.writes()).toBe(before);
    expect(site.held()).toEqual(holding);
    expect(joined.ended, joined.output.slice(-2000)).toBe(false);
  });

  test("is cancelled: nobody sends any more, and what nobody sent is known", async () => {
    await using site = await Site.open(large);
    const { run } = await sendTogether(site);
    expect((await site.api.ask("POST", `/v1/runs/${run}/cancel`)).status).toBe(200);
    const cancelled = await site.api.settled(run, ended);
    expect(cancelled).toMatchObject({ status: "cancelled" });
    expect(cancelled.unsent).toBeGreaterThan(0);
    expect(isAccountedFor(cancelled)).toBe(true);
    const before = await site.writes();
    await sleep(2000);
    expect(await site.writes()).toBe(before);
    await site.api.run();
    await expectRecovery(site, "a run that others had joined was cancelled");
  });

  test("loses a worker that is stopped: it hands its part over in time", async () => {
    await using site = await Site.open(large);
    const { run, joined } = await sendTogether(site);
    expect(await joined.stop("SIGTERM")).toBe(0);
    const sent = await site.api.settled(run, ended, 20_000);
    expect(sent).toMatchObject({ status: "partial", accepted: 3997, invalid: 3, in_doubt: 0 });
    await expectRecovery(site, "a worker that had joined was stopped");
  });
});
