/**
 * An embedded control store that was made once, before all tests: to make one takes seconds, to copy one a moment. Also a
 * module of vitest's global setup.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openQueue } from "../src/queue/queue.ts";
import { openStore } from "../src/store/open.ts";

const variable = "SLUICE_TEST_STORE";

export async function setup(): Promise<() => void> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-prepared-"));
  const store = await openStore({ dataDir });
  const queue = await openQueue({ store, onError: () => undefined });
  await queue.close(0);
  await store.close();
  process.env[variable] = dataDir;
  return () => rmSync(dataDir, { recursive: true });
}

/** Puts an empty store into a data folder; where none was prepared, it is made when it is first opened. */
export function copyStore(dataDir: string): void {
  const prepared = process.env[variable];
  if (prepared !== undefined) cpSync(join(prepared, "control"), join(dataDir, "control"), { recursive: true });
}
