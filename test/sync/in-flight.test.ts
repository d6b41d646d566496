import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { InFlight } from "../../src/sync/in-flight.ts";

/** Starts tasks that end when they are told to, and counts those under way. */
function tasks(inFlight: InFlight) {
  const open: (() => void)[] = [];
  return {
    get underWay(): number {
      return open.length;
    },
    endOne: () => open.shift()?.(),
    start: (weight: number, group = "upsert") =>
      void inFlight.start(group, weight, () => new Promise<void>((resolve) => open.push(resolve))),
  };
}

const noFailure = (reason: unknown): never => {
  throw reason;
};

describe("batches under way at the same time", () => {
  test("are as many as the destination takes while they carry little", async () => {
    const under = tasks(new InFlight({ few: 4, many: 16 }, noFailure));
    for (let n = 0; n < 20; n += 1) under.start(100);
    await turn();
    expect(under.underWay).toBe(16);
    under.endOne();
    await turn();
    expect(under.underWay).toBe(16);
  });

  test("are few where each carries much, so that memory stays flat", async () => {
    const under = tasks(new InFlight({ few: 4, many: 16 }, noFailure));
    for (let n = 0; n < 20; n += 1) under.start(10_000);
    await turn();
    expect(under.underWay).toBe(4);
  });

  test("are no more than the destination takes, even where that is fewer than usual", async () => {
    const under = tasks(new InFlight({ few: 4, many: 1 }, noFailure));
    for (let n = 0; n < 3; n += 1) under.start(1);
    await turn();
    expect(under.underWay).toBe(1);
  });

  test("are of one group: the next one waits until all before have ended", async () => {
    const inFlight = new InFlight({ few: 4, many: 16 }, noFailure);
    const under = tasks(inFlight);
    under.start(1, "archive");
    await turn();
    under.start(1, "upsert");
    await turn();
    expect(under.underWay).toBe(1);
    under.endOne();
    await turn();
    expect(under.underWay).toBe(1);
  });
});
