/** A destination that asks to wait, or is down: the run ends honestly, and what is left goes on by itself. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startPostgres } from "../postgres.ts";
import { Business, type RunJson, type RunningService } from "./business.ts";

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let store: pg.Client;
let business: Business;
let service: RunningService;
beforeAll(async () => {
  postgres = await startPostgres();
  const databaseUrl = await postgres.database();
  business = await Business.open(400);
  business.environment["SLUICE_DATABASE_URL"] = databaseUrl;
  await business.sluice(["apply", business.folder]);
  service = await business.start();
  store = new pg.Client({ connectionString: databaseUrl });
  await store.connect();
});
afterAll(async () => {
  await store?.end();
  await service?.stop();
  await business?.[Symbol.asyncDispose]();
  await postgres?.stop();
});

/** The destination is as it should be, and what it asked for is over. */
async function calm(): Promise<void> {
  await business.clearFaults();
  await store.query("delete from app.quotas");
}
afterEach(calm);

interface Ended extends RunJson {
  readonly failure: { code: string; message: string; again_at?: string } | null;
}

async function run(): Promise<Ended> {
  return await service.settled((await service.run("companies", { kind: "full" })).run, undefined, 90_000);
}

/** How long a run that has ended is from being tried again. */
const waitOf = ({ failure }: Ended): number => Date.parse(failure?.again_at ?? "") - Date.now();

/** Turns the clock: what waits is due. Then the run that goes on, once it has ended. */
async function goOn(of: string): Promise<Ended> {
  await store.query("update app.sequels set due_at = now()");
  const find = async (): Promise<RunJson | undefined> => {
    const { data } = (await service.ask("GET", "/v1/runs")).body as { data: readonly RunJson[] };
    return data.find(({ trigger }) => trigger === `again after ${of}`);
  };
  await expect.poll(find, { timeout: 30_000, interval: 200 }).toBeDefined();
  return await service.settled((await find())?.run ?? "", undefined, 90_000);
}

test("one that asks to wait longer than a run waits is asked again when it said, and what it took is not sent again", async () => {
  const answer = { kind: "status", status: 429, headers: { "retry-after": "1000" } } as const;
  await business.fault({ path: "/batch/", after: 2, times: null, fault: answer });
  const parked: Ended = await service.settled((await service.run()).run);
  expect(parked).toMatchObject({ status: "failed", failure: { again_at: expect.stringMatching(/Z$/) } });
  expect([parked.accepted, parked.accepted + parked.in_doubt]).toEqual([200, 320]);
  expect(waitOf(parked)).toBeGreaterThan(900_000);
  expect(waitOf(parked)).toBeLessThan(1_400_000);
  await calm();
  expect(await goOn(parked.run)).toMatchObject({ status: "succeeded", accepted: 120, already_there: 0 });
  expect(business.held()).toEqual(await business.expected());
}, 60_000);

test("one that is down for a while is waited for, asked seldom, and fails no run", async () => {
  await business.fault({ path: "/", times: null, fault: { kind: "status", status: 503 } });
  const before = await business.requests();
  const { run: id } = await service.run("companies", { kind: "full" });
  await sleep(12_000);
  expect((await business.requests()) - before).toBeLessThan(20);
  expect((await service.ask("GET", `/v1/runs/${id}`)).body).toMatchObject({
    status: expect.stringMatching(/planning|sending/) as string,
  });
  await calm();
  expect(await service.settled(id)).toMatchObject({ status: "succeeded", in_doubt: 0 });
  expect(business.held()).toEqual(await business.expected());
}, 60_000);

test("rows that were named stay named, until they were sent", async () => {
  const answer = { kind: "status", status: 429, headers: { "retry-after": "5000" } } as const;
  await business.fault({ path: "/batch/", times: null, fault: answer });
  const ask = async (keys: readonly string[]): Promise<Ended> =>
    await service.settled((await service.run("companies", { kind: "keys", keys })).run);
  const first = await ask(["A1", "A2"]);
  expect([first.status, (await ask(["A2", "A3"])).status]).toEqual(["failed", "failed"]);
  await calm();
  // A run of what changed is none of theirs.
  expect(await service.settled((await service.run()).run)).toMatchObject({ kind: "changes", status: "succeeded" });
  expect(await goOn(first.run)).toMatchObject({ kind: "keys", status: "succeeded", accepted: 3 });
}, 60_000);

test("what waits is spared when somebody else has done it meanwhile", async () => {
  const answer = { kind: "status", status: 429, headers: { "retry-after": "5000" } } as const;
  await business.fault({ path: "/batch/", times: null, fault: answer });
  expect(await run()).toMatchObject({ status: "failed" });
  await calm();
  expect(await run()).toMatchObject({ status: "succeeded" });
  const { rows } = await store.query("select * from app.sequels");
  expect(rows).toEqual([]);
}, 60_000);
