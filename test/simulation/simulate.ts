/**
 * Runs seeded histories of the engine through every fault, and prints what was violated.
 *
 *   node test/simulation/simulate.ts [--seeds 2000] [--seed 17]
 */
import { parseArgs } from "node:util";
import { loadMappingKinds } from "../mapping-kinds.ts";
import { Simulation } from "./history.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "2000" }, seed: { type: "string" } } });
const seeds =
  values.seed === undefined ? Array.from({ length: Number(values.seeds) }, (_, seed) => seed) : [Number(values.seed)];
const kinds = await loadMappingKinds();
let violated = 0;
for (const seed of seeds) {
  const violations = await new Simulation(seed, kinds).run();
  if (violations.length === 0) continue;
  violated += 1;
  console.log(`seed ${seed}: ${violations.slice(0, 3).join("; ")}`);
}
console.log(`${seeds.length} histories, ${violated} with violations`);
process.exitCode = violated === 0 ? 0 : 1;
