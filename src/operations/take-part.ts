/** Takes part in a large run that another worker does, and has called for others. */
import { joinRun } from "../sync/join.ts";
import { LeaseTerm, RunStopped } from "../sync/lease.ts";
import { FencedError } from "../sync/ports.ts";
import { leaseMs, type Service } from "./service.ts";
import { openWorld } from "./world.ts";

/** Who could not go on with a run leaves it to the others for so long. */
const leaveMs = 60_000;

/** Sends parts of a run until none waits. False when there is none, or this process is at the run already. */
export async function takePart(id: string, service: Service, signal: AbortSignal): Promise<boolean> {
  const { store, clock, places } = service;
  if (places.isAt(id) || places.hasLeft(id, clock.now())) return false;
  const joinable = await store.parts.joinable(id);
  if (joinable === null) return false;
  const { identity, kind, spec, columns } = joinable;
  using place = places.take(spec.destination.name, id);
  if (place === null) return false;
  const term = new LeaseTerm(clock, leaseMs);
  try {
    await using world = await openWorld({ identity, spec, term }, service);
    await joinRun({ ...identity, kind, spec: spec.spec, columns }, world, store.parts, signal);
    return true;
  } catch (error) {
    if (error instanceof FencedError || error instanceof RunStopped) return true;
    // The run's own worker meets what is everybody's trouble, and tells it.
    places.leave(id, new Date(clock.now().getTime() + leaveMs));
    throw error;
  }
}
