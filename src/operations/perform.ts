/** Does a run that waits, or settles one whose worker was lost. Workers and the command both come here. */
import { resolveSync } from "../documents/resolve.ts";
import type { Claim } from "../store/leases.ts";
import type { ClaimedRun } from "../sync/claimed-run.ts";
import { noCounts } from "../sync/commit.ts";
import { LeaseTerm } from "../sync/lease.ts";
import type { RunProgress } from "../sync/ports.ts";
import { failureOf } from "../sync/ending.ts";
import { executeRun } from "../sync/run.ts";
import type { SharedParts } from "../sync/world.ts";
import { storedDocuments } from "./documents.ts";
import { leaseMs, type Service } from "./service.ts";
import { openWorld } from "./world.ts";

const abandonAgainMs = 500;

export interface PerformOptions {
  readonly signal: AbortSignal;
  /** Calls another worker to a large run that this one does. Absent: there is none. */
  readonly call?: SharedParts["call"];
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
  { signal, call, onProgress }: PerformOptions,
): Promise<void> {
  const { identity, kind, keys, stage, spec } = claim;
  const run: ClaimedRun = { ...identity, kind, keys, stage, spec: spec.spec, reverts: claim.reverts ?? undefined };
  const world = await openWorld({ identity, spec, term, call, onProgress }, service).catch((failure: unknown) =>
    endUnopened(claim, failure, service),
  );
  if (world === null) return;
  await using open = world;
  await executeRun(run, open, signal);
}

/** A setting that is missing or wrong is how the run ends, not a failure of the worker. */
async function endUnopened({ identity }: Claim, reason: unknown, { store, clock }: Service): Promise<null> {
  // A plan that the run may have is kept with its journal: the next run that can reach the warehouse settles it.
  const counts = (await store.runStore.counts(identity.id)) ?? noCounts;
  const end = { status: "failed", counts, failure: failureOf(reason, clock.now()) } as const;
  await store.runStore.end(identity, end, { keepJournal: true });
  return null;
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
