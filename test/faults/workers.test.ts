/** Workers are killed in a loop while they send: nothing is lost, and nothing is claimed that was not acknowledged. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery, rounds } from "./recovery.ts";
import { Site } from "./site.ts";

describe.runIf(hasRedisServer())("a worker that is killed while it sends", () => {
  test("is gone on from by the next one, which is killed while it does so", async () => {
    await using site = await Site.open({ workers: 1 });
    for (let round = 0; round < rounds; round += 1) {
      await site.edit(2 * round);
      const first = await site.sending();
      await killAndReplace(site);
      await site.edit(2 * round + 1);
      const second = await site.sending(first.run);
      await killAndReplace(site);
      const lost = await Promise.all([first, second].map(({ run }) => site.api.settled(run, /failed/, 60_000)));
      expect(lost.map(({ failure }) => failure?.code)).toEqual(["worker_lost", "worker_lost"]);
      await expectRecovery(site, "two workers were killed, one after the other");
    }
  });
});

async function killAndReplace(site: Site): Promise<void> {
  await sleep(Math.random() * 300);
  await site.worker.stop("SIGKILL");
  site.workers.shift();
  await site.startWorker();
}
