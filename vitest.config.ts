import { configDefaults, defineConfig } from "vitest/config";

// Faults take minutes, most of them spent waiting for leases to run out: "npm run test:faults".
const faults = process.env["SLUICE_FAULTS"] === undefined ? ["test/faults/**"] : [];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/prepared-store.ts"],
    exclude: [...configDefaults.exclude, ...faults],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
