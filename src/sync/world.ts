/** What a run reaches outside of itself: everything that is not pure comes in here. */
import type { Connection } from "../destination.ts";
import type { Planner, Warehouse } from "../warehouse.ts";
import type { LeaseTerm } from "./lease.ts";
import type { MappingKinds } from "./map.ts";
import type { Clock, LookupSpec, PartStore, Random, RunProgress, RunStore } from "./ports.ts";

/** All that a run needs of the world. */
export interface World {
  readonly store: RunStore;
  readonly warehouse: Warehouse;
  readonly planner: Planner;
  /** The name under which the planner keeps the sync's plan and state. */
  readonly stateName: string;
  /** The same for another sync to the same destination. */
  readonly stateOf: (sync: LookupSpec["of"]) => string;
  /** Paced, retried and traced. */
  readonly connection: Connection;
  /** Requests made through `connection` so far. */
  readonly requests: () => number;
  readonly kinds: MappingKinds;
  readonly clock: Clock;
  readonly random: Random;
  /** Every request to the destination is refused once it is over. */
  readonly term: LeaseTerm;
  readonly concurrency: number;
  /** Null: this worker sends every plan alone. */
  readonly parts: SharedParts | null;
  /** Told of every step, for progress bars; the store is told more rarely. */
  readonly onProgress?: (progress: RunProgress) => void;
}

/** How large plans are sent together with other workers. */
export interface SharedParts {
  readonly store: PartStore;
  /** Changes of a part. */
  readonly rows: number;
  /** Calls another worker to a run that so many have joined. It may come or not. */
  readonly call: (run: string, joined: number) => void;
}
