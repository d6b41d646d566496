import fc from "fast-check";
import { expect, test } from "vitest";
import { ranges } from "../../src/sync/journal.ts";

test("ranges say exactly which numbers they were made of", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), (numbers) => {
      const sorted = numbers.toSorted((a, b) => a - b);
      const spread = ranges(sorted).flatMap(([from, to]) =>
        Array.from({ length: to - from + 1 }, (_, at) => from + at),
      );
      expect(spread).toEqual(sorted);
    }),
  );
});
