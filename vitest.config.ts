import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Faults take minutes, most of them spent waiting for leases to run out: "npm run test:faults".
const withFaults = process.env["SLUICE_FAULTS"] !== undefined;

/** The files that take longest, a minute and more. Begun last, they would keep one worker busy while the others have nothing to do. */
const long = [
  "warehouses/snowflake",
  "end-to-end/snowflake",
  "end-to-end/local",
  "destinations/conformance",
  "warehouses/postgres",
  "warehouses/local",
  "end-to-end/service",
  "end-to-end/revert",
];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = long.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return found === -1 ? long.length : found;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/prepared-store.ts"],
    exclude: [...configDefaults.exclude, ...(withFaults ? [] : ["test/faults/**"])],
    pool: "forks",
    sequence: { sequencer: LongFirst },
    // As src/cli/sluice.js says it for the command. Here it saves each file a second or two.
    execArgv: ["--no-wasm-dynamic-tiering", "--no-wasm-tier-up"],
    // One more than the two cores of the machine that this is made for: some wait most of their time. A fault's site has
    // processes enough of its own.
    maxWorkers: withFaults ? 2 : 3,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
