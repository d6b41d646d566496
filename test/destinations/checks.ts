/** What every destination must do, each a promise that can be broken on its own. */
import { expect } from "vitest";
import { type Batch, type Change, DestinationError, type Outcome, type Removal } from "../../src/destination.ts";
import { batchOf, changesOf, numbers, type Place } from "./place.ts";

export type Check = (place: Place) => Promise<void>;

/** The promise that says nothing where no ids are told. */
export const keepsRenamed = "a renamed row keeps its record";

/** By the promise that each checks. */
export const checks: Readonly<Record<string, Check>> = {
  "check tells the account": async ({ connection }) => {
    expect((await connection.check()).account).not.toBe("");
  },

  "a refused credential is unauthorized": async ({ connect, fixture }) => {
    const error = await failureOf(connect(fixture.refusedCredential).check());
    expect(error).toMatchObject({ kind: "unauthorized", applied: "no" });
  },

  "looking writes nothing": async ({ connection, object, contents }) => {
    const before = JSON.stringify(contents());
    await connection.check();
    await connection.objects();
    await connection.describe(object.name, object.settings);
    expect(JSON.stringify(contents())).toBe(before);
  },

  "the objects that it lists can be described": async ({ connection, object }) => {
    expect((await connection.objects()).map(({ name }) => name)).toContain(object.name);
    const described = await connection.describe(object.name, object.settings);
    const fields = new Map(described.fields.map((field) => [field.name, field]));
    expect(fields.get(object.match)?.matches).toBe(true);
    const named = [...Object.keys(object.record(0, 0)), ...Object.keys(object.bad)];
    expect(named.filter((name) => fields.get(name)?.writable !== true)).toEqual([]);
    expect(described.batch.records).toBeGreaterThanOrEqual(1);
    for (const { name, matches, matching } of described.fields) {
      if (!matches) continue;
      const ignored = connection.ignoresCase?.(object.name, object.settings, name) ?? false;
      expect([name, matching ?? "exact"]).toEqual([name, ignored ? "case_insensitive" : "exact"]);
    }
  },

  "an object that it does not have is refused": async ({ connection }) => {
    const error = await failureOf(connection.describe("no_such_object", {}));
    expect(error).toMatchObject({ kind: "refused", code: "unknown_object" });
  },

  "records are read before they are written, exactly where it says that they can be": async (place) => {
    const { connection, object } = place;
    const { reads = false } = await connection.describe(object.name, object.settings);
    expect(reads && connection.read === undefined).toBe(false);
    if (!reads) return;
    await connection.write(batchOf(object, changesOf(object, numbers(3))));
    const before = JSON.stringify(place.contents());
    const fields = Object.keys(object.record(0, 0));
    const read = await connection.read?.(batchOf(object, changesOf(object, numbers(5), 1)), fields);
    expect([...(read ?? [])].map(([seq, record]) => [seq, record !== null])).toEqual(
      numbers(5).map((n) => [100 + n, n < 3]),
    );
    for (const n of numbers(3)) {
      const has = Object.entries(read?.get(100 + n) ?? {}).filter(([, value]) => value !== null && value !== "");
      expect(has.map(([field]) => field)).toEqual(expect.arrayContaining(fields));
    }
    expect(JSON.stringify(place.contents())).toBe(before);
  },

  "a full batch is written, exactly it": async (place) => {
    const { batch: limit } = await place.connection.describe(place.object.name, place.object.settings);
    const ns = numbers(Math.min(limit.records, 1000));
    const outcomes = await place.connection.write(batchOf(place.object, changesOf(place.object, ns)));
    expect(kinds(outcomes)).toEqual(ns.map((n) => [100 + n, "accepted"]));
    expectHeld(place, ns, 0);
    expectTrueIds(place, outcomes);
  },

  "the same batch twice leaves the same records": async (place) => {
    const ns = numbers(5);
    const batch = batchOf(place.object, changesOf(place.object, ns));
    const first = await place.connection.write(batch);
    expect(await place.connection.write(batch)).toEqual(first);
    expectHeld(place, ns, 0);
    await place.connection.write(batchOf(place.object, changesOf(place.object, ns, 1)));
    expectHeld(place, ns, 1);
  },

  "a bad record is rejected alone, wherever it stands": async (place) => {
    const ns = numbers(7);
    for (const bad of [0, 3, 6]) {
      const revision = bad + 1;
      const outcomes = await deliver(place, batchOf(place.object, withBad(place, ns, bad, revision)));
      expect(kinds(outcomes)).toEqual(ns.map((n) => [100 + n, n === bad ? "rejected" : "accepted"]));
      const rejected = outcomes.find(({ seq }) => seq === 100 + bad);
      expect(rejected).toMatchObject({ code: expect.stringMatching(/./), message: expect.stringMatching(/./) });
      for (const n of ns) {
        const fields = place.held().get(place.object.matchValue(n))?.record;
        if (n === bad) expect(fields).not.toEqual(place.object.record(n, revision));
        else expect(fields).toEqual(place.object.record(n, revision));
      }
    }
  },

  "an answer in another order is understood": async (place) => {
    await place.strike({ kind: "shuffle" });
    const ns = numbers(6);
    const outcomes = await deliver(place, batchOf(place.object, withBad(place, ns, 2, 0)));
    expect(kinds(outcomes)).toEqual(ns.map((n) => [100 + n, n === 2 ? "rejected" : "accepted"]));
    expectTrueIds(place, outcomes);
  },

  "what an answer leaves out is in doubt": async (place) => {
    await warm(place);
    await place.strike({ kind: "partial" });
    const outcomes = await deliver(place, batchOf(place.object, changesOf(place.object, numbers(6))));
    const found = kinds(outcomes).map(([, kind]) => kind);
    expect(found).toHaveLength(6);
    expect(found).toContain("in_doubt");
    expect(found).not.toContain("rejected");
    expectTrueIds(place, outcomes);
  },

  "an answer that says nothing leaves all in doubt": async (place) => {
    await warm(place);
    await place.strike({ kind: "silent" });
    const ns = numbers(4);
    const outcomes = await deliver(place, batchOf(place.object, changesOf(place.object, ns)));
    expect(kinds(outcomes)).toEqual(ns.map((n) => [100 + n, "in_doubt"]));
  },

  "a limit is busy, with the wait that was asked for": async (place) => {
    await warm(place);
    const { limit } = place.protocol;
    await place.trouble(limit);
    expect(await writeFailure(place)).toMatchObject({ kind: "busy", applied: "no", ...limit.error });
    expectHeld(place, [], 0);
  },

  "a destination that fails may have applied the batch": async (place) => {
    await warm(place);
    const { failures, writes } = place.protocol;
    for (const failure of failures) {
      const before = place.held();
      // A request that only reads has certainly applied nothing.
      const troubles = writes.length === 0 ? [failure] : writes.map((method) => ({ ...failure, method }));
      for (const trouble of troubles) await place.trouble(trouble);
      const { kind, applied } = await writeFailure(place);
      expect([failure, kind, applied]).toEqual([failure, "unavailable", failure.applied]);
      await place.calm();
      if (applied === "no") expect(place.held()).toEqual(before);
    }
    expect(failures.map(({ applied }) => applied)).toContain("unknown");
    await place.connection.write(batchOf(place.object, changesOf(place.object, numbers(3), 1)));
    expectHeld(place, numbers(3), 1);
  },

  "a destination that is not there has applied nothing": async (place) => {
    await warm(place);
    await place.shut();
    expect(await writeFailure(place)).toMatchObject({ kind: "unavailable", applied: "no" });
  },

  "who stops waits for no answer": async (place) => {
    await warm(place);
    await place.strike({ kind: "hang" });
    const stop = new AbortController();
    const reason = new Error("stopped");
    setTimeout(() => stop.abort(reason), 20);
    const written = place.connection.write(batchOf(place.object, changesOf(place.object, numbers(2))), stop.signal);
    const timer = new Promise((resolve) => setTimeout(() => resolve("too late"), 1500));
    await expect(Promise.race([written, timer])).rejects.toBe(reason);
  },

  "no error and no rejection tells a secret": async (place) => {
    await warm(place);
    const said: unknown[] = [];
    const refusals = place.protocol.refusals(place.secrets.join(" "));
    for (const refusal of refusals) {
      await place.strike(refusal);
      const batch = batchOf(place.object, changesOf(place.object, [0]));
      for (const ask of [() => place.connection.check(), () => place.connection.write(batch)]) {
        await ask().then(
          (answer) => said.push(JSON.stringify(answer)),
          (error: unknown) => said.push(everyWord(error)),
        );
      }
      await place.calm();
    }
    expect(said).toHaveLength(2 * refusals.length);
    expect(refusals.length).toBeGreaterThan(0);
    for (const secret of place.secrets) expect(said.filter((words) => String(words).includes(secret))).toEqual([]);
  },

  "every mode that it declares works": async (place) => {
    const { modes } = await place.connection.describe(place.object.name, place.object.settings);
    for (const mode of modes) await works[mode]?.(place);
  },

  "every removal that it declares works, with and without an id, and again": async (place) => {
    const { removals } = await place.connection.describe(place.object.name, place.object.settings);
    for (const removal of removals) {
      await removes(place, removal, (change) => change);
      const ids = (change: Change): Change => ({
        ...change,
        destinationId: place.held().get(place.object.matchValue(change.seq - 100))?.id,
      });
      await removes(place, removal, ids);
    }
  },

  "a null clears, and nothing else": async (place) => {
    await place.connection.write(batchOf(place.object, changesOf(place.object, [0, 1])));
    const [first = "", ...others] = Object.keys(place.object.record(0, 0));
    const cleared = changesOf(place.object, [0]).map((change) => ({
      ...change,
      record: { ...change.record, [first]: null },
    }));
    expect(kinds(await place.connection.write(batchOf(place.object, cleared)))).toEqual([[100, "accepted"]]);
    const left = place.held().get(place.object.matchValue(0))?.record ?? {};
    expect(Object.keys(left)).toEqual(others);
    expect(place.held().get(place.object.matchValue(1))?.record).toEqual(place.object.record(1, 0));
  },

  [keepsRenamed]: async (place) => {
    const outcomes = await place.connection.write(batchOf(place.object, changesOf(place.object, [0, 1])));
    const [id] = outcomes.map((outcome) => (outcome.kind === "accepted" ? outcome.destinationId : undefined));
    if (id === undefined) throw new Error("It was told no id. If there are none, the fixture says why: tellsNoIds.");
    const renamed = changesOf(place.object, [7], 1).map((change) => ({ ...change, destinationId: id, renamed: true }));
    expect(kinds(await place.connection.write(batchOf(place.object, renamed)))).toEqual([[107, "accepted"]]);
    expect([...place.held().keys()].toSorted()).toEqual([place.object.matchValue(1), place.object.matchValue(7)]);
    // An id that is the match value itself goes with it.
    const kept = id === place.object.matchValue(0) ? place.object.matchValue(7) : id;
    expect(place.held().get(place.object.matchValue(7))).toEqual({ id: kept, record: place.object.record(7, 1) });
  },
};

type Works = (place: Place) => Promise<void>;

/** Modes that are more than the checks above ask. */
const works: Readonly<Record<string, Works>> = {
  update: async (place) => {
    await place.connection.write(batchOf(place.object, changesOf(place.object, [20])));
    const changes = changesOf(place.object, [20, 21], 1);
    const outcomes = await deliver(place, batchOf(place.object, changes, "update"));
    expect(kinds(outcomes)).toEqual([
      [120, "accepted"],
      [121, "rejected"],
    ]);
    expect(place.held().get(place.object.matchValue(20))?.record).toEqual(place.object.record(20, 1));
    expect(place.held().has(place.object.matchValue(21))).toBe(false);
  },
  insert: async (place) => {
    const outcomes = await deliver(place, batchOf(place.object, changesOf(place.object, [30, 31]), "insert"));
    expect(kinds(outcomes)).toEqual([
      [130, "accepted"],
      [131, "accepted"],
    ]);
    expectTrueIds(place, outcomes);
    expect(place.held().get(place.object.matchValue(31))?.record).toEqual(place.object.record(31, 0));
  },
  append: async (place) => {
    const outcomes = await deliver(place, batchOf(place.object, changesOf(place.object, [40]), "append"));
    expect(kinds(outcomes)).toEqual([[140, "accepted"]]);
  },
};

async function removes(place: Place, removal: Removal, withId: (change: Change) => Change): Promise<void> {
  const ns = numbers(3);
  await place.connection.write(batchOf(place.object, changesOf(place.object, ns)));
  const nulls = Object.fromEntries(Object.keys(place.object.record(0, 0)).map((name) => [name, null]));
  const record = removal === "clear" ? nulls : {};
  const changes = changesOf(place.object, [0, 2]).map((change) => withId({ ...change, record }));
  const batch = batchOf(place.object, changes, removal);
  for (let times = 0; times < 2; times += 1) {
    const outcomes = await deliver(place, batch);
    expect(kinds(outcomes)).toEqual([
      [100, "accepted"],
      [102, "accepted"],
    ]);
    const left = ns.map((n) => place.held().get(place.object.matchValue(n))?.record);
    const removed = removal === "clear" ? {} : undefined;
    expect(left).toEqual([removed, place.object.record(1, 0), removed]);
  }
}

/** What a connection asks once is asked, so that a fault strikes the write itself. */
async function warm({ connection, object }: Place): Promise<void> {
  await connection.describe(object.name, object.settings);
}

async function writeFailure({ connection, object }: Place): Promise<DestinationError> {
  return failureOf(connection.write(batchOf(object, changesOf(object, numbers(3)))));
}

/** The error that an operation fails with, which must be a classified one. */
export async function failureOf(operation: Promise<unknown>): Promise<DestinationError> {
  const error: unknown = await operation.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DestinationError);
  return error as DestinationError;
}

function withBad(place: Place, ns: readonly number[], bad: number, revision: number): readonly Change[] {
  return changesOf(place.object, ns, revision).map((change) =>
    change.seq === 100 + bad ? { ...change, record: { ...change.record, ...place.object.bad } } : change,
  );
}

/** Writes as the service does: what is refused whole is halved, what broke is in doubt. */
export async function deliver(place: Place, batch: Batch): Promise<readonly Outcome[]> {
  const { changes } = batch;
  try {
    return await place.connection.write(batch);
  } catch (error) {
    if (!(error instanceof DestinationError)) throw error;
    if (error.kind === "unavailable" && error.applied === "unknown")
      return changes.map(({ seq }) => ({ seq, kind: "in_doubt", message: error.message }));
    const [only, ...others] = changes;
    if (error.kind !== "refused" || only === undefined) throw error;
    if (others.length === 0)
      return [{ seq: only.seq, kind: "rejected", code: error.code, message: error.message, field: error.field }];
    const middle = Math.ceil(changes.length / 2);
    return [
      ...(await deliver(place, { ...batch, changes: changes.slice(0, middle), id: `${batch.id}-first` })),
      ...(await deliver(place, { ...batch, changes: changes.slice(middle), id: `${batch.id}-second` })),
    ];
  }
}

/** Each outcome's seq and kind, in the order of seq. */
export function kinds(outcomes: readonly Outcome[]): [number, Outcome["kind"]][] {
  return outcomes.toSorted((one, other) => one.seq - other.seq).map(({ seq, kind }) => [seq, kind]);
}

/** The account holds these records in this revision, and no others. */
function expectHeld({ held, object }: Place, ns: readonly number[], revision: number): void {
  const found = Object.fromEntries([...held()].map(([match, { record }]) => [match, record]));
  expect(found).toEqual(Object.fromEntries(ns.map((n) => [object.matchValue(n), object.record(n, revision)])));
}

/** The id that is told of each record is that of the one with the change's match value; or none is told of any. */
function expectTrueIds({ held, object }: Place, outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) {
    if (outcome.kind !== "accepted") continue;
    const id = held().get(object.matchValue(outcome.seq - 100))?.id;
    expect(outcome.destinationId).toBe(object.tellsNoIds === undefined ? id : undefined);
  }
}

/** All that an error says, its causes and stack included. */
export function everyWord(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.message, error.stack, JSON.stringify(error), everyWord(error.cause)].join(" ");
}
