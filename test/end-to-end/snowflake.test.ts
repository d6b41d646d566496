/** The main job over Snowflake, by its own driver, and the demo's business with it. */
import { Business } from "./business.ts";
import { mainJob } from "./main-job.ts";
import { expect, test } from "vitest";

mainJob("Snowflake", { source: "snowflake" });

test("skip_unchanged spares the comparison while nothing changed, and only then", async () => {
  await using business = await Business.open(100, { source: "snowflake" });
  business.write("workspace.yaml", `${business.read("workspace.yaml")}skip_unchanged: true\n`);
  const asked = async (): Promise<readonly string[]> => {
    const response = await fetch(`${business.snowflake?.url}/_sandbox/requests`);
    return ((await response.json()) as { sql: string }[]).map(({ sql }) => sql);
  };
  const comparisons = async (): Promise<number> =>
    (await asked()).filter((sql) => /insert into .*plan/i.test(sql)).length;
  expect(await business.run()).toMatchObject({ accepted: 80 });
  // The first run that found nothing left to do is the one to go by.
  await business.run();
  const before = await comparisons();
  expect(await business.run()).toMatchObject({ status: "succeeded", planned: { added: 0, changed: 0 }, accepted: 0 });
  expect(await comparisons()).toBe(before);
  await business.sql("update accounts set mrr = 5 where id = 'A1'");
  expect(await business.run()).toMatchObject({ planned: { changed: 1 }, accepted: 1 });
  expect(await comparisons()).toBeGreaterThan(before);
  expect(business.held()).toEqual(await business.expected());
});

test("the demo's business comes out right", async () => {
  await using business = await Business.open(1);
  const { code, stdout, stderr } = await business.sluice(["demo", "--source", "snowflake"]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.match(/^yes /gm)).toHaveLength(4);
});
