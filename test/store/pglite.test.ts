import { setTimeout as sleep } from "node:timers/promises";
import { Kysely, PostgresDialect } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPglite } from "../../src/store/pglite.ts";
import type { StorePool } from "../../src/store/pool.ts";

interface Tables {
  numbers: { n: number };
}

let pool: StorePool;
let db: Kysely<Tables>;

beforeAll(async () => {
  pool = await openPglite(undefined, "public");
  db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  await pool.query("create table numbers (n int primary key)");
});
afterAll(() => pool.end());

async function numbers(): Promise<number[]> {
  return (await db.selectFrom("numbers").select("n").orderBy("n").execute()).map(({ n }) => n);
}

test("a statement of another session waits for the transaction, and sees all of it or nothing", async () => {
  const transaction = db.transaction().execute(async (trx) => {
    await trx.insertInto("numbers").values({ n: 1 }).execute();
    await sleep(50);
    await trx.insertInto("numbers").values({ n: 2 }).execute();
  });
  await sleep(10);
  expect(await numbers()).toEqual([1, 2]);
  await transaction;
});

test("a query beside the transaction, made inside it, fails at once instead of waiting for ever", async () => {
  const transaction = db.transaction().execute(async (trx) => {
    await trx.insertInto("numbers").values({ n: 3 }).execute();
    await numbers();
  });
  await expect(transaction).rejects.toMatchObject({ code: "outside_transaction" });
  expect(await numbers()).not.toContain(3);
  // What was an inside is an outside again.
  await db.transaction().execute((trx) => trx.insertInto("numbers").values({ n: 4 }).execute());
  expect(await numbers()).toContain(4);
});

test("a session that is given back in the middle of a transaction is rolled back", async () => {
  const session = await pool.connect();
  await session.query("begin");
  await session.query("insert into numbers values (5)");
  session.release();
  expect(await numbers()).not.toContain(5);
});

test("statements of one session run in their order, though nobody waits for each", async () => {
  const session = await pool.connect();
  const statements = ["begin", "insert into numbers values (50)", "insert into numbers values (51)", "commit"];
  await Promise.all(statements.map((text) => session.query(text)));
  session.release();
  expect(await numbers()).toEqual(expect.arrayContaining([50, 51]));
});

test("a statement that fails spoils its own transaction only", async () => {
  const spoiled = db.transaction().execute(async (trx) => {
    await trx.insertInto("numbers").values({ n: 6 }).execute();
    await trx.insertInto("numbers").values({ n: 6 }).execute();
  });
  await expect(spoiled).rejects.toMatchObject({ code: "23505" });
  await expect(pool.query("select nonsense")).rejects.toMatchObject({ code: "42703" });
  expect(await numbers()).not.toContain(6);
});

test("transactions that come at once take turns, in their order", async () => {
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      db.transaction().execute(async (trx) => {
        await trx
          .insertInto("numbers")
          .values({ n: 100 + n })
          .execute();
        order.push(n);
      }),
    ),
  );
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("every session that listens hears a notification", async () => {
  const [one, two] = [await pool.connect(), await pool.connect()];
  const heard: unknown[] = [];
  for (const session of [one, two]) {
    await session.query("listen doorbell");
    session.on("notification", (message: { payload?: string }) => heard.push(message.payload));
  }
  await pool.query("select pg_notify('doorbell', 'ring')");
  expect(heard).toEqual(["ring", "ring"]);
  one.release();
  two.release();
});
