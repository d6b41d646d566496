/** The disk that holds plan and state is full: runs fail by name, and once there is room the next one goes on. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasRedisServer } from "../redis.ts";
import { expectRecovery } from "./recovery.ts";
import { Site } from "./site.ts";

/** A small disk of its own, or undefined where this account may not mount one. */
function mountDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "sluice-disk-"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]).status === 0) return folder;
  rmSync(folder, { recursive: true });
  process.stderr.write("\n*** SKIPPED: tests with a full disk. This account may not mount a tmpfs. ***\n\n");
  return undefined;
}

const disk = hasRedisServer() ? mountDisk() : undefined;

describe.runIf(disk !== undefined)("a site whose disk", () => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.open({ planner: `{ in: local, path: "${disk}" }`, workers: 0 });
    await site.startWorker({ SLUICE_DATA_DIR: `${disk}/data` });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    if (disk === undefined) return;
    spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  });

  function fillDisk(file: string): void {
    for (const bytes of [100_000, 4096, 1]) {
      try {
        for (;;) appendFileSync(file, Buffer.alloc(bytes));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      }
    }
  }

  test("is full says so, and goes on when there is room", async () => {
    await expectRecovery(site, "the start");
    const filler = join(disk ?? "", "filler");
    fillDisk(filler);
    await site.edit(1);
    await expect.poll(async () => (await site.history())[0]?.status, { timeout: 20_000 }).toBe("failed");
    const [failed] = await site.history();
    expect(failed?.failure?.code, JSON.stringify(failed)).not.toBe("internal_error");
    rmSync(filler);
    await expectRecovery(site, "the disk was full");
    expect(site.worker.ended, site.worker.output.slice(-2000)).toBe(false);
  });
});
