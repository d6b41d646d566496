import { expect, test } from "vitest";
import { Batcher, type SendableBatch } from "../../src/sync/batch.ts";
import type { Operation } from "../../src/destination.ts";

function batches(
  limit: { records: number; bytes?: number },
  changes: readonly [Operation, string, string?][],
): string[] {
  const batcher = new Batcher(limit);
  const closed: (SendableBatch | null)[] = changes.map(([operation, match, text = ""], at) => {
    const change = { seq: at + 1, match: { id: match }, record: { text }, destinationId: undefined, renamed: false };
    const json = { matchJson: JSON.stringify(change.match), recordJson: JSON.stringify(change.record) };
    return batcher.add(operation, { change, rowKey: match, recordHash: "", ...json });
  });
  const show = (batch: SendableBatch): string =>
    `${batch.operation} ${batch.changes.map(({ change }) => JSON.stringify(change.match["id"]).slice(1, -1)).join(" ")}`;
  return [...closed, batcher.take()].flatMap((batch) => (batch === null ? [] : [show(batch)]));
}

test("a batch has one operation and at most the records that the destination takes", () => {
  const changes: [Operation, string][] = [
    ["archive", "a"],
    ["upsert", "b"],
    ["upsert", "c"],
    ["upsert", "d"],
  ];
  expect(batches({ records: 2 }, changes)).toEqual(["archive a", "upsert b c", "upsert d"]);
});

test("a batch stays within the bytes that the destination takes, but a large record still goes alone", () => {
  const long = "x".repeat(100);
  const changes: [Operation, string, string][] = [
    ["upsert", "a", long],
    ["upsert", "b", long],
    ["upsert", "c", "y"],
  ];
  expect(batches({ records: 10, bytes: 90 }, changes)).toEqual(["upsert a", "upsert b", "upsert c"]);
});

test("no batch has two changes of one record", () => {
  expect(
    batches({ records: 10 }, [
      ["upsert", "a"],
      ["upsert", "b"],
      ["upsert", "a"],
    ]),
  ).toEqual(["upsert a b", "upsert a"]);
});
