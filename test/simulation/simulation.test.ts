import { describe, expect, test } from "vitest";
import { loadMappingKinds } from "../mapping-kinds.ts";
import { defects } from "./defects.ts";
import { type Defect, Simulation } from "./history.ts";

const kinds = await loadMappingKinds();

/** The first histories with violations, by their seeds. `node test/simulation/simulate.ts --seed N` replays one. */
async function violated(
  { seeds, most }: { readonly seeds: number; readonly most: number },
  defect?: Defect,
): Promise<Readonly<Record<number, readonly string[]>>> {
  const found: Record<number, readonly string[]> = {};
  for (let seed = 0; seed < seeds && Object.keys(found).length < most; seed += 1) {
    const violations = await new Simulation(seed, kinds, defect).run();
    if (violations.length > 0) found[seed] = violations.slice(0, 3);
  }
  return found;
}

test("whatever breaks, nothing is lost, claimed wrongly, sent out of order or left uncounted: 2,000 histories", async () => {
  expect(await violated({ seeds: 2000, most: 5 })).toEqual({});
}, 300_000);

test("a history is the same for the same seed", async () => {
  const once = async (): Promise<readonly unknown[]> => {
    const simulation = new Simulation(7, kinds);
    await simulation.run();
    return [simulation.time.now(), [...simulation.destination.records], [...simulation.store.runs.values()]];
  };
  expect(await once()).toEqual(await once());
});

describe("the simulation finds a planted defect:", () => {
  test.each(Object.entries(defects))(
    "%s",
    async (_name, defect) => {
      expect(Object.keys(await violated({ seeds: 10_000, most: 1 }, defect))).toHaveLength(1);
    },
    300_000,
  );
});
