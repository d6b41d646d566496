/** Does a run that waits, or settles one whose worker was lost. Workers and the command both come here. */
import { Recorder } from "../connection/record.ts";
import { resolveSync } from "../documents/resolve.ts";
import { repeat } from "../repeat.ts";
import type { Claim } from "../store/leases.ts";
import { noCounts } from "../sync/commit.ts";
import { LeaseTerm } from "../sync/lease.ts";
import type { RunProgress } from "../sync/ports.ts";
import { failureOf } from "../sync/ending.ts";
import { type ClaimedRun, executeRun } from "../sync/run.ts";
import type { World } from "../sync/world.ts";
import { openDestination, openWarehouse, plannerName } from "./connect.ts";
import { storedDocuments } from "./documents.ts";
import { planningInPlaces } from "./places.ts";
import { leaseMs, type Service } from "./service.ts";

/** Batches of one run that are under way at the same time. */
const concurrency = 4;

const abandonAgainMs = 500;

export interface PerformOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
}

/**
 * Does a run. False when there is nothing to do: it has ended, is held, another worker is at this sync, or this
 * process has no place for one more towards its destination. After a run
 * that lost its worker or was cut short by the service's stop, a new one is asked for: what was under way goes on.
 */
export async function performRun(id: string, service: Service, options: PerformOptions): Promise<boolean> {
  // Left in the queue for a worker that has a place, or for this one when it is rung again.
  using place = service.places.take(await service.store.runs.destination(id), id);
  if (place === null) return false;
  const term = new LeaseTerm(service.clock, leaseMs);
  const claim = await service.store.leases.claim(id, { worker: service.worker, leaseMs });
  if (claim === null) return false;
  try {
    await performClaimed(claim, term, service, options);
  } catch (error) {
    // The store failed, or another worker took over: let go at once, so that the run is not waited for.
    await abandon(claim, term, service, options.signal);
    throw error;
  }
  if (claim.stage === "lost" || (await wasInterrupted(id, service, options))) await requestAgain(claim, service);
  return true;
}

/** A store that is away is asked again until it is back, or until the lease has run out by itself. */
async function abandon(claim: Claim, term: LeaseTerm, { store, clock }: Service, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await store.leases.abandon(claim.identity);
    } catch {
      if (term.isOver || signal.aborted) return;
      await clock.sleep(abandonAgainMs, signal).catch(() => undefined);
    }
  }
}

/** The service's own stop cut the run short: it goes on with the next start, as after a kill. */
async function wasInterrupted(id: string, { store }: Service, { signal }: PerformOptions): Promise<boolean> {
  return signal.aborted && (await store.runs.get(id)).failure?.code === "interrupted";
}

async function performClaimed(
  claim: Claim,
  term: LeaseTerm,
  service: Service,
  { signal, onProgress }: PerformOptions,
): Promise<void> {
  const { spec } = claim.spec;
  const { identity, kind, keys, stage } = claim;
  const run: ClaimedRun = { ...identity, kind, keys, stage, spec, reverts: claim.reverts ?? undefined };
  const recorder = new Recorder(() => service.clock.now());
  await using ends = await openEnds(claim, term, service, recorder);
  if ("failure" in ends) {
    // A plan that the run may have is kept with its journal: the next run that can reach the warehouse settles it.
    const counts = (await service.store.runStore.counts(run.id)) ?? noCounts;
    const end = { status: "failed", counts, failure: failureOf(ends.failure, service.clock.now()) } as const;
    await service.store.runStore.end(run, end, { keepJournal: true });
    return;
  }
  const world: World = {
    store: service.store.runStore,
    clock: service.clock,
    random: service.random,
    kinds: await service.registry.mappingKinds(),
    warehouse: ends.warehouse,
    planner: ends.planner,
    stateName: ends.stateName,
    stateOf: ends.stateOf,
    connection: ends.connection,
    requests: ends.requests,
    term,
    concurrency,
    ...(onProgress ? { onProgress } : {}),
  };
  const keep = async (): Promise<void> => service.store.exchanges.add(run.id, await recorder.take());
  // What was asked is only for people to look at: a run does not end for it.
  const keeping = repeat(keep, { everyMs: 2000, onError: () => undefined });
  try {
    await executeRun(run, world, signal);
  } finally {
    await keeping.close();
    await keep().catch(() => undefined);
  }
}

type Ends = Pick<World, "warehouse" | "planner" | "stateName" | "stateOf" | "connection" | "requests"> &
  AsyncDisposable;
type UnopenedEnds = { readonly failure: unknown } & AsyncDisposable;

/** Opens what the run needs. A setting that is missing or wrong is how the run ends, not a failure of the worker. */
async function openEnds(
  { identity, spec: { spec, source, destination } }: Claim,
  term: LeaseTerm,
  service: Service,
  recorder: Recorder,
): Promise<Ends | UnopenedEnds> {
  await using opened = new AsyncDisposableStack();
  try {
    const warehouse = opened.adopt(await openWarehouse(source, service), (one) => one.close());
    const { connection, requests, place } = opened.use(
      await openDestination(destination, service, {
        mayGo: () => term.require(identity.id),
        onExchange: (exchange) => recorder.note(exchange),
      }),
    );
    const stateOf: World["stateOf"] = (sync) => plannerName(sync, place);
    const stateName = stateOf(spec);
    const planner = planningInPlaces(warehouse.planner(stateName), service.places);
    const kept = opened.move();
    const ends = { warehouse, planner, stateName, stateOf, connection, requests };
    return { ...ends, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  } catch (failure) {
    return { failure, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
}

async function requestAgain(claim: Claim, service: Service): Promise<void> {
  const documents = await storedDocuments(service);
  const { kind, keys, reverts } = claim;
  const { id, sync } = claim.identity;
  if (!documents.syncs.has(sync)) return;
  const trigger = `recovery of ${id}`;
  // What a revert sends is what its own documents said.
  const spec = reverts === null ? resolveSync(documents, sync, await service.registry.mappingKinds()) : claim.spec;
  await service.store.runs.create({ sync, kind, trigger, spec, keys, reverts: reverts ?? undefined });
}
