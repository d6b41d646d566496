/** Fields that are not always written. */
import { describe, expect, test } from "vitest";
import {
  type Batch,
  type Connection,
  DestinationError,
  type DestinationRecord,
  type Outcome,
} from "../../src/destination.ts";
import type { When } from "../../src/sync/ports.ts";
import { kept, writeWhen } from "../../src/sync/when.ts";

const conditional = new Map<string, When>([
  ["source", "insert"],
  ["phone", "if_empty"],
]);
const record = { name: "New", source: "sluice", phone: "+49" };

const batch: Batch = {
  object: "contacts",
  settings: {},
  operation: "upsert",
  fields: Object.keys(record),
  match: ["id"],
  changes: [1, 2, 3].map((seq) => ({ seq, match: { id: seq }, record, destinationId: undefined, renamed: false })),
  id: "batch",
};

/** A destination that has these records, and what was written to it. */
function destination(present: ReadonlyMap<number, DestinationRecord | null> | DestinationError): {
  connection: Connection;
  written: Record<number, DestinationRecord>[];
} {
  const written: Record<number, DestinationRecord>[] = [];
  const never = (): never => {
    throw new Error("nobody asks");
  };
  const connection: Connection = {
    check: never,
    objects: never,
    describe: never,
    read: () => (present instanceof DestinationError ? Promise.reject(present) : Promise.resolve(present)),
    write: ({ changes }) => {
      written.push(Object.fromEntries(changes.map((change) => [change.seq, change.record])));
      return Promise.resolve(changes.map(({ seq }): Outcome => ({ seq, kind: "accepted" })));
    },
  };
  return { connection, written };
}

const signal = new AbortController().signal;

describe("of a record that is there", () => {
  test.each([
    [{ source: "web", phone: "+1" }, { name: "New" }],
    [
      { source: null, phone: "" },
      { name: "New", phone: "+49" },
    ],
    [{}, { name: "New", phone: "+49" }],
    [{ phone: [] }, { name: "New", phone: "+49" }],
    [{ phone: 0 }, { name: "New" }],
    [{ phone: false }, { name: "New" }],
  ])("%j is given %j", (present, given) => {
    expect(kept(record, present, conditional)).toEqual(given);
  });
});

test("a record that is not there yet is given everything, one that cannot be read nothing", async () => {
  const { connection, written } = destination(
    new Map([
      [1, null],
      [2, { source: "web", phone: "+1" }],
    ]),
  );
  const outcomes = await writeWhen(batch, conditional, connection, signal);
  expect(written).toEqual([{ 1: record, 2: { name: "New" } }]);
  expect(outcomes.map(({ seq, kind }) => [seq, kind])).toEqual([
    [1, "accepted"],
    [2, "accepted"],
    [3, "rejected"],
  ]);
  expect(outcomes[2]).toMatchObject({ code: "record_not_read" });
});

test("nothing is read for what is always written, or for records that are made in any case", async () => {
  const broken = destination(new DestinationError("unavailable", "away", { code: "away", applied: "unknown" }));
  expect(await writeWhen(batch, new Map(), broken.connection, signal)).toHaveLength(3);
  expect(await writeWhen({ ...batch, operation: "insert" }, conditional, broken.connection, signal)).toHaveLength(3);
});

test("a destination that fails while it is read has applied nothing", async () => {
  const away = new DestinationError("unavailable", "away", { code: "away", applied: "unknown" });
  const { connection, written } = destination(away);
  await expect(writeWhen(batch, conditional, connection, signal)).rejects.toMatchObject({
    code: "away",
    applied: "no",
  });
  expect(written).toEqual([]);
});
