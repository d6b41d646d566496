/** Jobs of Bulk API 2.0: large batches of an object whose sync says `api: bulk`. */
import { describe, expect, test } from "vitest";
import salesforce from "../../destinations/salesforce/index.ts";
import createSandbox from "../../destinations/salesforce/sandbox.ts";
import type { Batch, Change, DestinationRecord, Outcome, StartedJob } from "../../src/destination.ts";
import { failureOf } from "./checks.ts";
import { openPlace, type Place } from "./place.ts";
import fixture from "./salesforce.fixture.ts";

async function org(bulk: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const [object] = fixture.objects;
  if (!object) throw new Error("the fixture has no object");
  const seed = { ...(fixture.seed as object), bulk };
  return openPlace({ adapter: salesforce, createSandbox, fixture, object, sandbox: { seed } });
}

const count = 250;
const idOf = (n: number): string => `C-${n}`;

function changes(recordOf: (n: number) => DestinationRecord = (n) => ({ Subject: `Subject ${n}` })): Change[] {
  return Array.from({ length: count }, (_, n) => ({
    seq: n,
    match: { External_Id__c: idOf(n) },
    record: recordOf(n),
    destinationId: undefined,
    renamed: false,
  }));
}

function batch(all: readonly Change[], more: Partial<Batch> = {}): Batch {
  const base = { object: "Case", settings: { api: "bulk" }, operation: "upsert", id: "1" } as const;
  return { ...base, fields: ["Subject", "SuppliedName"], match: ["External_Id__c"], changes: all, ...more };
}

type Held = Readonly<Record<string, unknown>>;

function held(place: Place): ReadonlyMap<unknown, Held> {
  const records = Object.values((place.contents()["Case"] ?? {}) as Record<string, Held>);
  return new Map(records.map((record) => [record["External_Id__c"], record]));
}

function tally(outcomes: readonly Outcome[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...Map.groupBy(outcomes, ({ kind }) => kind)].map(([kind, all]): [string, number] => [kind, all.length]),
  );
}

const outcomeOf = (outcomes: readonly Outcome[], seq: number): Outcome | undefined =>
  outcomes.find((one) => one.seq === seq);

async function steps(place: Place): Promise<readonly string[]> {
  const asked = (await place.asked()).filter(({ path }) => /jobs|composite/.test(path));
  return [
    ...new Set(asked.map(({ method, path }) => `${method} ${path.replace(/.*v\d+\.0/, "").replace(/7505j\w+/, "…")}`)),
  ];
}

describe("a large batch", () => {
  test("is one job, and every row is told by what it was sent with", async () => {
    await using place = await org();
    const outcomes = await place.connection.write(batch(changes()));
    expect(tally(outcomes)).toEqual({ accepted: count });
    for (const n of [0, 7, 249])
      expect(outcomeOf(outcomes, n)).toMatchObject({ destinationId: held(place).get(idOf(n))?.["Id"] });
    expect(held(place).get(idOf(249))).toMatchObject({ Subject: "Subject 249" });
    expect(await steps(place)).toEqual([
      "POST /jobs/ingest",
      "PUT /jobs/ingest/…/batches",
      "PATCH /jobs/ingest/…",
      "GET /jobs/ingest/…",
      "GET /jobs/ingest/…/successfulResults",
      "GET /jobs/ingest/…/failedResults",
    ]);
  });

  test("tells each refused row its own reason", async () => {
    await using place = await org();
    const outcomes = await place.connection.write(
      batch(changes((n) => ({ SuppliedName: n % 100 === 3 ? "x".repeat(81) : "fits" }))),
    );
    expect(tally(outcomes)).toEqual({ accepted: count - 3, rejected: 3 });
    expect(outcomeOf(outcomes, 103)).toMatchObject({
      code: "STRING_TOO_LONG",
      message: "SuppliedName: data value too large (max length=80)",
      field: "SuppliedName",
    });
  });

  test("keeps values as they are, clears what is null, and leaves alone what a record leaves out", async () => {
    await using place = await org();
    const odd = 'Ünïcode, "quoted"\nand a second line';
    await place.connection.write(batch(changes(() => ({ Subject: "before", SuppliedName: "stays" }))));
    const next = (n: number): DestinationRecord =>
      n === 1 ? { Subject: null } : n === 2 ? { Subject: odd } : n === 3 ? { Subject: "" } : { Subject: "after" };
    expect(tally(await place.connection.write(batch(changes(next))))).toEqual({ accepted: count });
    const subjects = [0, 1, 2, 3].map((n) => held(place).get(idOf(n))?.["Subject"]);
    expect(subjects).toEqual(["after", undefined, odd, undefined]);
    expect([...held(place).values()].every((record) => record["SuppliedName"] === "stays")).toBe(true);
  });

  test("sends what no cell can hold another way: the text #N/A, and rows that are named anew", async () => {
    await using place = await org();
    const first = await place.connection.write(batch(changes()));
    const id = first.find(({ seq }) => seq === 5);
    const destinationId = id?.kind === "accepted" ? id.destinationId : undefined;
    const later = changes((n) => ({ Subject: n === 4 ? "#N/A" : "later" })).map((one) =>
      one.seq === 5 ? { ...one, match: { External_Id__c: "renamed" }, renamed: true, destinationId } : one,
    );
    expect(tally(await place.connection.write(batch(later)))).toEqual({ accepted: count });
    expect(held(place).get(idOf(4))).toMatchObject({ Subject: "#N/A" });
    expect(held(place).get("renamed")).toMatchObject({ Id: destinationId, Subject: "later" });
    expect(held(place).has(idOf(5))).toBe(false);
  });

  test("rejects rows that Salesforce would take for one record", async () => {
    await using place = await org();
    const twin = { ...changes()[0], seq: 900, match: { External_Id__c: "c-0" } } as Change;
    const outcomes = await place.connection.write(batch([...changes(), twin]));
    expect(tally(outcomes)).toEqual({ accepted: count - 1, rejected: 2 });
    expect(outcomeOf(outcomes, 900)).toMatchObject({ code: "DUPLICATE_VALUE", field: "External_Id__c" });
  });

  test("that Salesforce shows in no result is in doubt, each row alone", async () => {
    await using place = await org({ forgets: idOf(17) });
    const outcomes = await place.connection.write(batch(changes()));
    expect(tally(outcomes)).toEqual({ accepted: count - 1, in_doubt: 1 });
    expect(outcomeOf(outcomes, 17)).toMatchObject({ kind: "in_doubt" });
  });

  test("whose job an administrator ends is in doubt from there on", async () => {
    await using place = await org({ ends_after: 100 });
    const outcomes = await place.connection.write(batch(changes()));
    expect(tally(outcomes)).toEqual({ accepted: 100, in_doubt: 150 });
    expect(outcomeOf(outcomes, 200)).toMatchObject({ message: expect.stringContaining("Aborted") });
  });

  test("whose job fails as a whole is refused, and its halves are small enough to be told row by row", async () => {
    await using place = await org({ fails: "InvalidBatch" });
    const error = await failureOf(place.connection.write(batch(changes())));
    expect(error).toMatchObject({ kind: "refused", code: "job_failed", applied: "no" });
    expect(tally(await place.connection.write(batch(changes().slice(0, 125))))).toEqual({ accepted: 125 });
  });

  test("whose upload fails has applied nothing, and leaves no open job", async () => {
    await using place = await org();
    await place.connection.describe("Case", { api: "bulk" });
    await place.strike({ kind: "status", status: 503 }, { path: "/batches", times: 1 });
    expect(await failureOf(place.connection.write(batch(changes())))).toMatchObject({ applied: "no" });
    expect(held(place).size).toBe(0);
    const states = (await place.asked()).flatMap(({ method, requestBody }) =>
      method === "PATCH" ? [requestBody] : [],
    );
    expect(states).toEqual([{ state: "Aborted" }]);
  });

  test("is waited for although a look at its job fails", async () => {
    await using place = await org();
    await place.connection.describe("Case", { api: "bulk" });
    await place.strike({ kind: "status", status: 503 }, { method: "GET", path: "/jobs/ingest/", times: 1 });
    expect(tally(await place.connection.write(batch(changes())))).toEqual({ accepted: count });
  });
});

describe("a job whose process died", () => {
  async function killed(place: Place, when: "waiting" | "uploaded"): Promise<string> {
    const kept: StartedJob[] = [];
    const stop = new AbortController();
    const onJob = async (job: StartedJob): Promise<void> => {
      kept.push(job);
      if (when === "uploaded") throw new Error("killed");
      setTimeout(() => stop.abort(new Error("killed")), 100);
    };
    await expect(place.connection.write(batch(changes(), { onJob }), stop.signal)).rejects.toThrow("killed");
    expect(kept.map(({ seqs }) => seqs.length)).toEqual([count]);
    return kept[0]?.handle ?? "";
  }

  test("tells the next one what became of every row, and what was kept of it tells no value", async () => {
    await using place = await org({ ms: 600 });
    const handle = await killed(place, "waiting");
    expect(handle).not.toContain(idOf(200));
    const outcomes = (await place.connect({}).resume?.(handle)) ?? [];
    expect(tally(outcomes)).toEqual({ accepted: count });
    expect(outcomeOf(outcomes, 200)).toMatchObject({ destinationId: held(place).get(idOf(200))?.["Id"] });
  });

  test("is ended where its upload was not declared complete: nothing of it is applied later", async () => {
    await using place = await org();
    const handle = await killed(place, "uploaded");
    expect(await place.connect({}).resume?.(handle)).toEqual([]);
    expect(held(place).size).toBe(0);
    const job = (JSON.parse(handle) as { job: string }).job;
    const last = (await place.asked()).at(-1);
    expect(last).toMatchObject({ method: "PATCH", responseBody: { id: job, state: "Aborted" } });
  });
});

test("a small batch is written by collections, at once", async () => {
  await using place = await org();
  expect(tally(await place.connection.write(batch(changes().slice(0, 200))))).toEqual({ accepted: 200 });
  expect(await steps(place)).toEqual(["PATCH /composite/sobjects/Case/External_Id__c"]);
});

test("an object's settings say how it is written, and others are refused by name", async () => {
  await using place = await org();
  const { batch: limit } = await place.connection.describe("Case", { api: "bulk" });
  expect(limit).toMatchObject({ records: 200, recordsOf: { upsert: 10_000, insert: 10_000 } });
  const error = await failureOf(place.connection.describe("Case", { api: "bluk" }));
  expect(error).toMatchObject({ kind: "refused", code: "settings_invalid" });
});
