/** Opens the world that a run reaches, for the worker that does it and for those that join it. */
import { Recorder } from "../connection/record.ts";
import type { ResolvedSync } from "../documents/resolve.ts";
import { repeat } from "../repeat.ts";
import type { LeaseTerm } from "../sync/lease.ts";
import type { RunIdentity, RunProgress } from "../sync/ports.ts";
import type { SharedParts, World } from "../sync/world.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { planningInPlaces } from "./places.ts";
import type { Service } from "./service.ts";

/** Batches of one run that are under way at the same time, where the destination does not say otherwise. */
const concurrency = 4;

/** What a worker does. */
export interface Task {
  readonly identity: RunIdentity;
  readonly spec: ResolvedSync;
  readonly term: LeaseTerm;
  /** Calls another worker. Absent: there is none. */
  readonly call?: SharedParts["call"] | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

export type OpenWorld = World & AsyncDisposable;

/** Opens both ends. Rejects when a setting is missing or wrong. What was asked of the destination is kept with the run. */
export async function openWorld(
  { identity, spec, term, call, onProgress }: Task,
  service: Service,
): Promise<OpenWorld> {
  const { clock, random, store, registry, places } = service;
  await using opened = new AsyncDisposableStack();
  const recorder = new Recorder(() => clock.now());
  const warehouse = opened.adopt(await openWarehouse(spec.source, service), (one) => one.close());
  const { connection, requests, place } = opened.use(
    await openDestination(spec.destination, service, {
      mayGo: () => term.require(identity.id),
      onExchange: (exchange) => recorder.note(exchange),
    }),
  );
  const keep = async (): Promise<void> => store.exchanges.add(identity.id, await recorder.take());
  // What was asked is only for people to look at: a run does not end for it.
  const keeping = repeat(keep, { everyMs: 2000, onError: () => undefined });
  opened.defer(async () => {
    await keeping.close();
    await keep().catch(() => undefined);
  });
  const stateOf: World["stateOf"] = (sync) => plannerName(sync, place);
  const stateName = stateOf(spec.spec);
  const world: World = {
    store: store.runStore,
    clock,
    random,
    kinds: await registry.mappingKinds(),
    warehouse,
    planner: planningInPlaces(warehouse.planner(stateName), places),
    stateName,
    stateOf,
    connection,
    requests,
    term,
    concurrency,
    parts: call === undefined ? null : { store: store.parts, rows: service.partRows, call },
    ...(onProgress ? { onProgress } : {}),
  };
  const kept = opened.move();
  return { ...world, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
