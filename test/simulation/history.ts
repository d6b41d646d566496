/** One history: a business in which things happen, workers that sync it, and all that can go wrong; then what must hold. */
import { messageOf, WarehouseError } from "../../src/errors.ts";
import { type Connection, DestinationError, type Outcome } from "../../src/destination.ts";
import { retry } from "../../src/connection/retry.ts";
import type { ClaimedRun } from "../../src/sync/claimed-run.ts";
import { plannedRows } from "../../src/sync/commit.ts";
import { LeaseTerm, RunStopped } from "../../src/sync/lease.ts";
import type { MappingKinds } from "../../src/sync/map.ts";
import { joinRun } from "../../src/sync/join.ts";
import { FencedError, type FieldSpec, type PartStore, type RunStore, type SyncSpec } from "../../src/sync/ports.ts";
import { executeRun } from "../../src/sync/run.ts";
import type { World } from "../../src/sync/world.ts";
import type { Planner, Warehouse } from "../../src/warehouse.ts";
import { Chance } from "./chance.ts";
import { claimOf, type Distortions, distort, SimulatedDestination } from "./destination.ts";
import { columns, Model } from "./model.ts";
import { PlannerTables, SimulatedPlanner } from "./planner.ts";
import { leaseMs, SimulatedStore, type StoredRun } from "./store.ts";
import { type Faults, noFaults, SimulatedWorker } from "./worker.ts";
import { VirtualTime } from "./virtual-time.ts";

/** The ports of a worker, so that a defect can be planted in one of them. */
export interface Ports {
  readonly store: RunStore;
  readonly parts: PartStore;
  readonly planner: Planner;
  readonly connection: Connection;
  readonly term: LeaseTerm;
}

export type Defect = (ports: Ports, simulation: Simulation) => Partial<Ports>;

const calm: Distortions = { missing: 0, muddled: 0, contradictory: 0 };

export class Simulation {
  readonly time = new VirtualTime();
  readonly chance: Chance;
  readonly model: Model;
  readonly store: SimulatedStore;
  readonly tables = new PlannerTables();
  readonly destination = new SimulatedDestination();
  readonly violations: string[] = [];
  spec: SyncSpec;
  /** Changes of a part; null where every worker sends alone. */
  readonly #partRows: number | null;
  readonly #kinds: MappingKinds;
  readonly #defect: Defect | undefined;

  constructor(seed: number, kinds: MappingKinds, defect?: Defect) {
    this.chance = new Chance(seed);
    this.model = new Model(this.chance);
    this.store = new SimulatedStore(this.time);
    this.#kinds = kinds;
    this.#defect = defect;
    this.spec = sync(this.chance.happens(0.7) ? "mirror" : "upsert", 0);
    this.#partRows = this.chance.happens(0.6) ? this.chance.between(1, 4) : null;
  }

  /** What was violated, if anything. */
  async run(): Promise<readonly string[]> {
    try {
      const rounds = this.chance.between(2, 5);
      for (let round = 0; round < rounds; round += 1) await this.#round(round);
      await this.#settle();
    } catch (error) {
      this.violations.push(messageOf(error));
    }
    return [...this.violations, ...this.destination.violations];
  }

  async #round(round: number): Promise<void> {
    const { chance, store } = this;
    this.model.happen((key) => this.#isKnown(key));
    // Some rows are named: of these alone, or besides what changed.
    const keys = chance.happens(0.3)
      ? this.model.people.flatMap(({ key }) => (key && chance.happens(0.3) ? [[key]] : []))
      : [];
    const kind = keys.length > 0 && chance.happens(0.5) ? "keys" : chance.happens(0.15) ? "full" : "changes";
    const run = store.create(kind, this.spec, keys);
    if (chance.happens(0.1)) this.spec = sync(this.spec.mode, round + 1);
    const faults = faultsOf(chance);
    const distortions = chance.happens(0.5) ? calm : { missing: 0.3, muddled: 0.3, contradictory: 0.1 };
    store.cancelWanted = false;
    const first = this.#perform(run, faults, distortions);
    if (chance.happens(0.1)) this.time.after(chance.between(0, 60_000), () => (store.cancelWanted = true));
    // Another worker looks for work all the while, as the reconciler has it.
    await this.time.until(Promise.race([first, this.#lookAfter(run, faults, distortions)]));
    this.#check();
    await this.time.pass(chance.between(0, 200_000));
  }

  /** Whether a row was accepted: whatever happens later, its record is known. */
  #isKnown(key: string): boolean {
    const row = this.tables.state.get(key);
    return row !== undefined && (row.fingerprint !== null || row.destinationId !== null);
  }

  /** Claims the run as soon as its worker was lost or it was released, until it has ended. */
  async #lookAfter(run: StoredRun, faults: Faults, distortions: Distortions): Promise<void> {
    for (let tries = 0; run.end === null; tries += 1) {
      await new Promise<void>((resolve) => this.time.after(this.chance.between(1000, 40_000), resolve));
      if (run.status === "held") this.store.release(run.id);
      await this.#perform(run, tries < 2 ? faults : noFaults, distortions);
    }
  }

  /** Resolves when the run was done, or its worker is dead, or there was nothing to do. */
  async #perform(run: StoredRun, faults: Faults, distortions: Distortions): Promise<void> {
    const term = new LeaseTerm({ now: () => new Date(this.time.now()) }, leaseMs);
    const claimed = this.store.claim(run.id);
    if (claimed === null) return;
    const worker = this.#worker(faults);
    const world = this.#world(worker, term, distortions, () => this.#called(claimed, faults, distortions));
    // A worker that could not store the end is one that was lost: its lease runs out.
    const done = executeRun(claimed, world, worker.stop.signal).catch(expected);
    await Promise.race([done, worker.death]);
  }

  /** Another worker hears that a run is large, and comes at once, after a while, or not at all. */
  #called(run: ClaimedRun, faults: Faults, distortions: Distortions): void {
    const join = (): void => this.#join(run, faults, distortions);
    if (this.chance.happens(0.6)) join();
    else if (this.chance.happens(0.5)) this.time.after(this.chance.between(0, 5000), join);
  }

  /** A worker, which may be told to stop at any time. */
  #worker(faults: Faults): SimulatedWorker {
    const worker = new SimulatedWorker(this.time, this.chance, faults);
    const isStopped = faults !== noFaults && this.chance.happens(0.1);
    if (isStopped) this.time.after(this.chance.between(0, 30_000), () => worker.stop.abort(new RunStopped("shutdown")));
    return worker;
  }

  #join(run: ClaimedRun, faults: Faults, distortions: Distortions): void {
    const columns = this.store.parts.joinable(run.id);
    if (columns === null) return;
    const worker = this.#worker(faults);
    const term = new LeaseTerm({ now: () => new Date(this.time.now()) }, leaseMs);
    const world = this.#world(worker, term, distortions, () => undefined);
    const { store } = world.parts ?? {};
    if (!store) return;
    joinRun({ ...run, columns }, world, store, worker.stop.signal)
      .catch(expected)
      .catch((error: unknown) => this.violations.push(messageOf(error)));
  }

  #world(worker: SimulatedWorker, term: LeaseTerm, distortions: Distortions, call: () => void): World {
    const { tables, chance, destination } = this;
    let requests = 0;
    const real: Ports = {
      store: this.store,
      parts: this.store.parts,
      planner: new SimulatedPlanner(tables, this.model),
      connection: this.#destination(
        worker,
        () => ports.term,
        distortions,
        () => (requests += 1),
      ),
      term,
    };
    const ports: Ports = { ...real, ...this.#defect?.(real, this) };
    const { store, planner, connection } = ports;
    const described = destination.description();
    const warehouse: Pick<Warehouse, "columns"> = { columns: () => Promise.resolve(columns) };
    return {
      store: failing(store, worker, storeFailed),
      planner: failing(planner, worker, () => new WarehouseError("unreachable", "simulated")),
      warehouse: { ...refusing, ...failing(warehouse, worker, () => new WarehouseError("unreachable", "simulated")) },
      stateOf: ({ name }) => name,
      stateName: "people",
      connection: retry(
        { ...connection, describe: () => Promise.resolve(described) },
        { clock: worker.clock, random: chance.next },
      ),
      requests: () => requests,
      kinds: this.#kinds,
      clock: worker.clock,
      random: chance.next,
      term: ports.term,
      concurrency: 3,
      parts:
        this.#partRows === null
          ? null
          : { store: failing(ports.parts, worker, storeFailed), rows: this.#partRows, call },
    };
  }

  #destination(
    worker: SimulatedWorker,
    term: () => LeaseTerm,
    distortions: Distortions,
    onRequest: () => void,
  ): Connection {
    const { destination, chance } = this;
    const fail = (applied: "no" | "unknown"): Error =>
      new DestinationError(applied === "no" && chance.happens(0.3) ? "busy" : "unavailable", "simulated", {
        code: "simulated",
        applied,
      });
    const told = async (handle: string, signal?: AbortSignal): Promise<readonly Outcome[]> => {
      const { changes, outcomes } = destination.job(handle);
      const ask = (): readonly Outcome[] => distort(outcomes, distortions, chance);
      // Whether the job was done is not known to who cannot ask.
      const answer = await worker.call(ask, () => fail("unknown"), signal);
      destination.acknowledge(changes, answer);
      return answer;
    };
    return {
      check: () => Promise.resolve({ account: "simulated" }),
      objects: () => Promise.resolve([destination.description()]),
      describe: () => Promise.resolve(destination.description()),
      async write(batch, signal) {
        onRequest();
        const sent = <Answer>(send: () => Answer): Promise<Answer> => {
          const inTime = (): Answer => {
            term().require("simulated");
            return send();
          };
          return worker.call(inTime, fail, signal);
        };
        if (chance.happens(0.3)) {
          const handle = await sent(() => destination.start(batch));
          await batch.onJob?.({ handle, seqs: batch.changes.map(({ seq }) => seq) });
          return await told(handle, signal);
        }
        const answer = await sent(() => distort(destination.apply(batch), distortions, chance));
        destination.acknowledge(batch.changes, answer);
        return answer;
      },
      resume: (handle, signal) => told(handle, signal),
    };
  }

  /** Nothing goes wrong any more: after the longest wait, a few runs leave nothing to do. */
  async #settle(): Promise<void> {
    this.store.cancelWanted = false;
    this.model.heal();
    for (let turn = 0; turn < 8; turn += 1) {
      await this.time.pass(2 * 86_400_000);
      const run = this.store.create("changes", {
        ...this.spec,
        gate: { ...this.spec.gate, removed: { percent: 100 } },
      });
      await this.time.until(this.#lookAfter(run, noFaults, calm));
      this.#check();
      const plan = run.end?.counts.plan;
      if (run.end?.status === "succeeded" && plan && plannedRows(plan) === 0) return this.#compare();
    }
    const last = [...this.store.runs.values()].at(-1)?.end;
    this.violations.push(`it does not come to rest: ${JSON.stringify(last)}`);
  }

  /**
   * After every round: each row has one outcome, none is said to have never been sent that was, and state claims nothing
   * that was not acknowledged.
   */
  #check(): void {
    for (const { id, end } of this.store.runs.values()) {
      if (end === null) continue;
      const { plan, accepted, rejected, invalid, inDoubt, unsent } = end.counts;
      const planned = plan ? plannedRows(plan) : 0;
      if (accepted + rejected + invalid + inDoubt !== planned)
        this.violations.push(`${id}: ${accepted} + ${rejected} + ${invalid} + ${inDoubt} is not ${planned}`);
      const arrived = this.destination.arrived(id);
      if (unsent + arrived > planned)
        this.violations.push(`${id}: ${unsent} of ${planned} were never sent, but ${arrived} arrived`);
    }
    for (const [key, { fingerprint }] of this.tables.state) {
      if (fingerprint === null) continue;
      const { email, name, version } = JSON.parse(fingerprint) as Record<string, string>;
      const claim = claimOf({
        match: { email: email ?? null },
        record: { name: name ?? null, version: version ?? null },
      });
      if (!this.destination.acknowledged.has(claim))
        this.violations.push(`state claims ${key} as ${claim}, which nobody acknowledged`);
    }
  }

  #compare(): void {
    const held = new Map(
      [...this.destination.records.values()].map(({ email, name, version }) => [email, `${name}|${version}`]),
    );
    const expected = this.model.expected();
    for (const [email, content] of expected)
      if (held.get(email) !== content)
        this.violations.push(`${email} is ${held.get(email) ?? "missing"} and should be ${content}`);
    if (this.spec.mode !== "mirror") return;
    for (const email of held.keys())
      if (!expected.has(email)) this.violations.push(`${email} should have been removed`);
  }
}

const storeFailed = (): Error => new Error("simulated: the store failed");

/** Throws what a worker must not end with. */
function expected(error: unknown): void {
  const isKnown = error instanceof FencedError || error instanceof RunStopped;
  if (!isKnown && !messageOf(error).startsWith("simulated")) throw error;
}

/** What the simulation does not have. */
const refusing: Warehouse = {
  check: () => Promise.reject(new Error("not simulated")),
  columns: () => Promise.reject(new Error("not simulated")),
  sample: () => Promise.reject(new Error("not simulated")),
  count: () => Promise.reject(new Error("not simulated")),
  planner: () => {
    throw new Error("not simulated");
  },
  close: () => Promise.resolve(),
};

function faultsOf(chance: Chance): Faults {
  if (chance.happens(0.15)) return noFaults;
  const often = chance.oneOf([0.01, 0.05, 0.15]);
  return {
    before: chance.oneOf([0, often]),
    after: chance.oneOf([0, often]),
    slow: chance.oneOf([0, often]),
    crash: chance.oneOf([0, often]),
    pause: chance.oneOf([0, often]),
  };
}

function sync(mode: SyncSpec["mode"], edition: number): SyncSpec {
  const column = (target: string): FieldSpec => ({
    target,
    kind: "column",
    options: { column: target },
    whenNull: "clear",
  });
  // An edition changes the salt and nothing else.
  const settings = edition === 0 ? {} : { edition };
  return {
    name: "people",
    model: { from: { table: "people" }, key: ["key"] },
    object: "people",
    settings,
    mode,
    match: { email: "email" },
    fields: [column("name"), column("version")],
    removed: mode === "mirror" ? "archive" : "ignore",
    gate: { removed: { percent: 60 }, rejected: { percent: 90 }, keys: "withhold" },
  };
}

/** The same object, each of whose calls can go wrong. Streams go wrong between pages. */
function failing<T extends object>(port: T, worker: SimulatedWorker, fail: (applied: "no" | "unknown") => Error): T {
  return new Proxy(port, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      if (name === "read" || name === "journal" || name === "state")
        return (...args: readonly unknown[]) =>
          failingPages(Reflect.apply(method, target, args) as AsyncIterable<unknown>, worker, fail);
      return (...args: readonly unknown[]) =>
        worker.call(() => Reflect.apply(method, target, args) as Promise<unknown>, fail);
    },
  });
}

async function* failingPages(
  pages: AsyncIterable<unknown>,
  worker: SimulatedWorker,
  fail: (applied: "no" | "unknown") => Error,
): AsyncIterable<unknown> {
  for await (const page of pages) yield await worker.call(() => page, fail);
}
