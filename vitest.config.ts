import { configDefaults, defineConfig } from "vitest/config";

// Faults take minutes, most of them spent waiting for leases to run out: "npm run test:faults".
const faults = process.env["SLUICE_FAULTS"] === undefined ? ["test/faults/**"] : [];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...faults],
    pool: "forks",
    // One more than the two cores of the machine that this is made for: some wait most of their time.
    maxWorkers: 3,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
