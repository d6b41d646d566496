#!/usr/bin/env -S node --max-semi-space-size=8
// The command's entry, in plain JavaScript: a Node.js that is too old for the TypeScript sources must still be told so.
// Rows live for one page: with a small young generation their garbage takes 60 MB less, in the same time. (It must be
// said before V8 starts; the other half, below, need not.)
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";

const needed = 24;

if (Number(process.versions.node.split(".")[0]) >= needed) {
  // V8 lets garbage grow to several times what lives before it collects it. Here it is 60%: a run of any size fits into
  // 256 MB, for a tenth more of work.
  v8.setFlagsFromString("--heap-growing-percent=60");
  // V8 compiles WebAssembly at once, and what has run for a moment again, optimised. Of the embedded store, and of what
  // parses Snowflake's SQL, some functions are so large that this takes a second of a core and 500 MB, in every command
  // and for good in a service. Without it a store that writes all the time works a tenth harder.
  for (const flag of ["--no-wasm-dynamic-tiering", "--no-wasm-tier-up"]) v8.setFlagsFromString(flag);
  // What was compiled once is read from a cache in the system's temporary folder: a command starts a third sooner.
  module.enableCompileCache();
  const { main } = await import("../main.ts");
  process.exitCode = await main(process.argv.slice(2));
} else {
  const own = fileURLToPath(new URL("../../node_modules/node/bin/node", import.meta.url));
  if (existsSync(own)) {
    const { status, signal } = spawnSync(own, [...process.execArgv, ...process.argv.slice(1)], { stdio: "inherit" });
    process.exitCode = status ?? (signal === "SIGINT" ? 130 : 1);
  } else {
    process.stderr.write(
      `sluice needs Node.js ${needed} or later; this is ${process.versions.node}. Install it, or run "npm ci" in the project's folder, which brings its own.\n`,
    );
    process.exitCode = 1;
  }
}
