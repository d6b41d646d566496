/** All benchmarks, one after another, each in a process of its own so that memory is its own. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const benches: readonly (readonly string[])[] = [
  ["diff.ts", "duckdb"],
  ["diff.ts", "postgres"],
  ["memory.ts"],
  ["worker.ts"],
  ["local.ts"],
  ["snowflake.ts"],
  ["webhooks.ts"],
  ["api.ts"],
  ["pacing.ts"],
  ["send.ts"],
];

for (const [file = "", ...args] of benches) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
