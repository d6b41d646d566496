import { configDefaults, defineConfig } from "vitest/config";

// Faults take minutes, most of them spent waiting for leases to run out: "npm run test:faults".
const withFaults = process.env["SLUICE_FAULTS"] !== undefined;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/prepared-store.ts"],
    exclude: [...configDefaults.exclude, ...(withFaults ? [] : ["test/faults/**"])],
    pool: "forks",
    // As src/cli/sluice.js says it for the command. Here it saves each file a second or two.
    execArgv: ["--no-wasm-dynamic-tiering", "--no-wasm-tier-up"],
    // One more than the two cores of the machine that this is made for: some wait most of their time. A fault's site has
    // processes enough of its own.
    maxWorkers: withFaults ? 2 : 3,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
