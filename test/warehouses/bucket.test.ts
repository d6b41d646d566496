/** Plan and state in S3-compatible storage, through the vendor's own client. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BucketStore } from "../../src/warehouses/local/bucket-store.ts";
import duckdb from "../../src/warehouses/duckdb/index.ts";
import type { RunRef, Warehouse } from "../../src/warehouse.ts";
import { bucketKeys, type ServedBucket, serveBucket } from "./bucket.ts";
import { all, backOff } from "./place.ts";

let storage: ServedBucket;
let folder: string;
const opened: Warehouse[] = [];
beforeEach(async () => {
  storage = await serveBucket("acme");
  folder = mkdtempSync(join(tmpdir(), "sluice-bucket-"));
});
afterEach(async () => {
  for (const warehouse of opened.splice(0)) await warehouse.close();
  await storage[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const place = (more: object = {}) => ({
  bucket: "acme",
  prefix: "team/sluice",
  region: "eu-central-1",
  endpoint: storage.url,
  ...bucketKeys,
  ...more,
});

function open(): Warehouse {
  const scratch = join(folder, "scratch");
  const planner = { in: "local", store: place(), scratch, memoryLimit: "128MB" } as const;
  const warehouse = duckdb.connect(duckdb.connection.parse({ path: ":memory:" }), { planner, workspace: "/" });
  opened.push(warehouse);
  return warehouse;
}

async function sync(warehouse: Warehouse, run: RunRef, values: string): Promise<readonly string[]> {
  const model = { from: { sql: `select * from (values ${values}) as v(id, name)` }, key: ["id"] };
  const columns = await warehouse.columns(model);
  const planner = warehouse.planner("sync");
  const terms = { match: ["id"], salt: "", scope: "changes", removals: true, now: new Date() } as const;
  await planner.plan({ run, model, columns, ...terms });
  const changes = await all(planner.read(run, { columns, pageRows: 2 }));
  await planner.record(run, [changes.map(({ seq }) => ({ seq, kind: "accepted", recordHash: run.id }))]);
  expect(await planner.commit(run, { now: new Date(), backOff })).toBe("committed");
  return changes.map(({ kind, rowKey }) => `${kind} ${rowKey}`);
}

test("runs follow each other, from any process, with nothing on this machine but for a while", async () => {
  await open().check();
  expect(storage.objects.size).toBe(0);
  expect(await sync(open(), { id: "one", fence: 1 }, "(1, 'a'), (2, 'b')")).toEqual(["added 1", "added 2"]);
  expect(await sync(open(), { id: "two", fence: 2 }, "(1, 'a'), (3, 'c')")).toEqual(["removed 2", "added 3"]);
  const planner = open().planner("sync");
  expect((await all(planner.state())).map(({ rowKey, recordHash }) => `${rowKey} ${recordHash}`)).toEqual([
    "1 one",
    "3 two",
  ]);
  expect([...storage.objects.keys()].every((key) => key.startsWith("team/sluice/sync/"))).toBe(true);
  await planner.drop();
  expect([...storage.objects.keys()]).toEqual(["team/sluice/sync/ledger.json"]);
  expect(await sync(open(), { id: "three", fence: 3 }, "(1, 'a')")).toEqual(["added 1"]);
});

test("of writers at the same time each change of the ledger is kept", async () => {
  const add = async (store: BucketStore): Promise<void> => {
    for (;;) {
      const before = await store.readLedger("sync");
      if (await store.replaceLedger("sync", `${before?.text ?? ""}x`, before)) return;
    }
  };
  const stores = Array.from({ length: 8 }, () => new BucketStore(place()));
  await Promise.all(stores.flatMap((store) => [add(store), add(store)]));
  expect((await new BucketStore(place()).readLedger("sync"))?.text).toBe("x".repeat(16));
});

test("an answer that is lost after the write loses no run", async () => {
  let lost = false;
  storage.fault = (method, key) => {
    if (lost || method !== "PUT" || !key.endsWith("ledger.json")) return undefined;
    lost = true;
    return "lost answer";
  };
  const planning = sync(open(), { id: "one", fence: 1 }, "(1, 'a')").catch(() => null);
  const planned = await planning;
  expect(lost).toBe(true);
  storage.fault = () => undefined;
  if (planned === null) {
    const planner = open().planner("sync");
    for (const { id } of await planner.openRuns()) await planner.discard({ id, fence: 2 });
  }
  await sync(open(), { id: "two", fence: 3 }, "(1, 'a')");
  expect(await all(open().planner("sync").state())).toHaveLength(1);
});

test.each([
  ["state_not_writable", { secretAccessKey: "wrong" }],
  ["state_unreachable", { bucket: "other" }],
  ["state_unreachable", { endpoint: "http://127.0.0.1:1" }],
])("a wrong setting is told as %s, without the secret", async (code, wrong) => {
  const failure = new BucketStore(place(wrong)).check();
  await expect(failure).rejects.toMatchObject({ code });
  await expect(failure).rejects.not.toThrow(/right-secret|wrong/);
});

test("storage that keeps no conditions is refused, and an object that was lost is not taken for an empty state", async () => {
  storage.conditional = false;
  await expect(new BucketStore(place()).check()).rejects.toMatchObject({ code: "bucket_not_conditional" });
  storage.conditional = true;
  await sync(open(), { id: "one", fence: 1 }, "(1, 'a')");
  for (const key of storage.objects.keys()) if (key.includes("/state-")) storage.objects.delete(key);
  await expect(sync(open(), { id: "two", fence: 2 }, "(1, 'b')")).rejects.toMatchObject({ code: "state_file_missing" });
});
