/** The main job over Snowflake, by its own driver, and the demo's business with it. */
import { Business } from "./business.ts";
import { mainJob } from "./main-job.ts";
import { expect, test } from "vitest";

mainJob("Snowflake", { source: "snowflake" });

test("the demo's business comes out right", async () => {
  await using business = await Business.open(1);
  const { code, stdout, stderr } = await business.sluice(["demo", "--source", "snowflake"]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.match(/^yes /gm)).toHaveLength(4);
});
