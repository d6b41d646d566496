import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FolderLocked, lockFolder } from "../../src/store/lock.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-lock-"));
afterAll(() => rmSync(root, { recursive: true }));

test("a folder has one holder, whose address the others learn", () => {
  const folder = join(root, "made", "when missing");
  const lock = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(FolderLocked);
  expect(urlOfHolder(folder)).toBeUndefined();
  lock.publish({ url: "http://127.0.0.1:2", key: "k" });
  expect(urlOfHolder(folder)).toBe("http://127.0.0.1:2");
  lock.release();
  lock.release();
  expect(existsSync(join(folder, "service.json"))).toBe(false);
  lockFolder(folder).release();
});

test("a holder that is killed frees the folder at once, and its old address misleads nobody", async () => {
  const folder = join(root, "killed");
  const source = new URL("../../src/store/lock.ts", import.meta.url).href;
  const program = `const { lockFolder } = await import(${JSON.stringify(source)});
    lockFolder(${JSON.stringify(folder)}).publish({ url: "http://127.0.0.1:3", key: "k" });
    console.log("locked");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  expect(urlOfHolder(folder)).toBe("http://127.0.0.1:3");

  holder.kill("SIGKILL");
  await once(holder, "exit");
  const lock = lockFolder(folder);
  expect(urlOfHolder(folder)).toBeUndefined();
  lock.release();
});

function urlOfHolder(folder: string): string | undefined {
  try {
    lockFolder(folder).release();
  } catch (error) {
    if (error instanceof FolderLocked) return error.service?.url;
    throw error;
  }
  throw new Error("the folder was free");
}
