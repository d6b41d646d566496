import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openQueue } from "../../src/queue/queue.ts";
import { openStore } from "../../src/store/open.ts";
import { startPostgres, type TestPostgres } from "../postgres.ts";
import { newSync, resolved } from "./stores.ts";

describe("a store in a Postgres", () => {
  let postgres: TestPostgres;
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-open-"));

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres.stop();
    rmSync(dataDir, { recursive: true });
  });

  test("any number of processes may open an empty one at once, and again later", async () => {
    const databaseUrl = await postgres.database();
    const stores = await Promise.all(Array.from({ length: 5 }, () => openStore({ databaseUrl, dataDir })));
    const applied = await stores[0]?.pool.query<{ version: number }>("select version from app.migrations");
    const migrations = readdirSync(join(import.meta.dirname, "../../src/store/migrations"));
    expect(applied?.rows).toEqual(migrations.map((_, index) => ({ version: index + 1 })));
    await Promise.all(stores.map((store) => store.close()));
    const again = await openStore({ databaseUrl, dataDir });
    await again.ping();
    await again.close();
    await again.close();
  });

  test("one that a newer version has made is refused, and left as it is", async () => {
    const databaseUrl = await postgres.database();
    const store = await openStore({ databaseUrl, dataDir });
    await store.pool.query("insert into app.migrations (version, name) values (99, 'from the future')");
    await store.close();
    await expect(openStore({ databaseUrl, dataDir })).rejects.toMatchObject({ code: "store_too_new" });
  });

  test("one that does not answer is named, without its password", async () => {
    const opening = openStore({ databaseUrl: "postgres://sluice:hunter2@127.0.0.1:1/nothing", dataDir });
    const error: unknown = await opening.catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "store_unreachable" });
    expect(String(error)).not.toContain("hunter2");
  });

  test("options in its address are honoured, and the queue is found beside them", async () => {
    const address = new URL(await postgres.database());
    address.searchParams.set("options", "-c lock_timeout=5000 -c search_path=elsewhere");
    const store = await openStore({ databaseUrl: address.href, dataDir });
    const { rows } = await store.pool.query<{ lock: string }>("select current_setting('lock_timeout') as lock");
    expect(rows).toEqual([{ lock: "5s" }]);
    const errors: unknown[] = [];
    const queue = await openQueue({ store, onError: (error) => errors.push(error) });
    const rung = Promise.withResolvers<string>();
    queue.work(async (run) => rung.resolve(run), { concurrency: 1 });
    const sync = newSync();
    const { id } = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    await queue.ring(id);
    expect([errors, await rung.promise]).toEqual([[], id]);
    await queue.close(1000);
    await store.close();
  });

  test("who stands still in the middle of a transaction does not keep a run from who takes it over", async () => {
    const store = await openStore({ databaseUrl: await postgres.database(), dataDir });
    const sync = newSync();
    const { id } = await store.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    await store.leases.claim(id, { worker: "still", leaseMs: 1 });
    const still = await store.pool.connect();
    await still.query("begin");
    await still.query("select from app.leases for update");
    const taken = await store.leases.claim(id, { worker: "next", leaseMs: 60_000 });
    expect(taken).toMatchObject({ stage: "lost", identity: { fence: 2 } });
    await expect(still.query("commit")).rejects.toThrow();
    still.release(true);
    await store.close();
  });

  test("its clock is the database's", async () => {
    const store = await openStore({ databaseUrl: await postgres.database(), dataDir });
    const { rows } = await store.pool.query<{ now: Date }>("select clock_timestamp() as now");
    expect(Math.abs(store.clock.now().getTime() - (rows[0]?.now.getTime() ?? 0))).toBeLessThan(50);
    const stop = AbortSignal.abort(new Error("enough"));
    await expect(store.clock.sleep(60_000, stop)).rejects.toThrow("enough");
    await store.close();
  });
});

describe("a store of its own in a folder", () => {
  test("is one process's at a time, keeps what it was told, and knows that an earlier process is dead", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "sluice-open-"));
    const first = await openStore({ dataDir });
    await expect(openStore({ dataDir })).rejects.toMatchObject({ code: "folder_locked", service: undefined });
    first.folder?.publish({ url: "http://127.0.0.1:8080", key: "k" });
    await expect(openStore({ dataDir })).rejects.toMatchObject({
      service: { url: "http://127.0.0.1:8080", key: "k" },
    });

    const sync = newSync();
    const { id } = await first.runs.create({ sync, kind: "changes", trigger: "api", spec: resolved(sync) });
    await first.leases.claim(id, { worker: "one", leaseMs: 3_600_000 });
    expect(await first.runs.orphaned()).toEqual([]);
    await first.close();

    const second = await openStore({ dataDir });
    expect((await second.runs.orphaned()).map((run) => run.id)).toEqual([id]);
    expect(await second.leases.claim(id, { worker: "one", leaseMs: 1000 })).toMatchObject({ stage: "lost" });
    await second.close();
    rmSync(dataDir, { recursive: true });
  });
});
