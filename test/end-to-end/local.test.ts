/** The main job over sources that are only read: plan and state in files. */
import { expect, test } from "vitest";
import { Business } from "./business.ts";
import { mainJob } from "./main-job.ts";

mainJob("DuckDB, only read", { planner: "{ in: local }" });
mainJob("Snowflake, only read", { source: "snowflake", planner: "{ in: local }" });

test.each(["duckdb", "snowflake"])("the demo's business comes out right, planned outside %s", async (source) => {
  await using business = await Business.open(1);
  const { code, stdout, stderr } = await business.sluice(["demo", "--source", source, "--planner", "local"]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.match(/^yes /gm)).toHaveLength(4);
});
