/** The main job over sources that are only read: plan and state in files. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bucketKeys, serveBucket } from "../warehouses/bucket.ts";
import { Business } from "./business.ts";
import { mainJob } from "./main-job.ts";

mainJob("Snowflake, only read", { source: "snowflake", planner: "{ in: local }" });

test("state in a bucket is found again by a machine that has nothing of it", async () => {
  await using storage = await serveBucket("acme");
  const keys = 'access_key_id: "${env:KEY}", secret_access_key: "${env:SECRET}"';
  const s3 = `{ bucket: acme, region: eu, endpoint: "${storage.url}", ${keys} }`;
  await using business = await Business.open(50, { planner: `{ in: local, s3: ${s3} }` });
  Object.assign(business.environment, { KEY: bucketKeys.accessKeyId, SECRET: bucketKeys.secretAccessKey });
  expect(await business.run()).toMatchObject({ accepted: 40 });
  rmSync(join(business.folder, ".sluice"), { recursive: true });
  expect(await business.run()).toMatchObject({ planned: { added: 0, changed: 0, removed: 0 }, unchanged: 40 });
  const { stdout } = await business.sluice(["check", "warehouse"], { environment: { SECRET: "wrong-secret" } });
  expect(stdout).not.toMatch(/wrong-secret|right-secret/);
});

test("the demo's business comes out right, planned outside Snowflake", async () => {
  await using business = await Business.open(1);
  const { code, stdout, stderr } = await business.sluice(["demo", "--source", "snowflake", "--planner", "local"]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.match(/^yes /gm)).toHaveLength(4);
});
