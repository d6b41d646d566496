/** A destination on loopback: its sandbox over HTTP, its adapter connected as the service connects it. */
import { hash } from "node:crypto";
import { pace, type Turns } from "../../src/connection/pace.ts";
import { openRequest } from "../../src/connection/request.ts";
import { memoryPacer, unlimited } from "../memory-ledger.ts";
import { retry } from "../../src/connection/retry.ts";
import { traceFetch } from "../../src/connection/trace.ts";
import type {
  Batch,
  Change,
  Connection,
  DestinationAdapter,
  DestinationRecord,
  ObjectSettings,
  Operation,
} from "../../src/destination.ts";
import { createDial } from "../../src/dial.ts";
import { createFetch } from "../../src/fetch.ts";
import type {
  CreateListeningSandbox,
  CreateSandbox,
  Fault,
  Sandbox,
  SandboxExchange,
  SandboxOptions,
  ServableSandbox,
} from "../../src/sandbox.ts";
import { serveSandbox } from "../../src/serve-sandbox.ts";
import type { Clock } from "../../src/sync/ports.ts";
import { contextOf } from "./context.ts";
import { http, type Protocol, type Trouble } from "./protocol.ts";

/** What the suite must know of a vendor: `test/destinations/{type}.fixture.ts` exports it as `default`. */
export interface DestinationFixture {
  /** What connects to the sandbox; `base_url` is added. Secrets are texts that appear nowhere else. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** The settings that make it a credential that the sandbox refuses. */
  readonly refusedCredential: Readonly<Record<string, unknown>>;
  /** What the sandbox has from the start. */
  readonly seed?: unknown;
  /** How its troubles are made. Default: those of HTTP. */
  readonly protocol?: Protocol;
  readonly objects: readonly ObjectFixture[];
}

export interface ObjectFixture {
  readonly name: string;
  readonly settings: ObjectSettings;
  readonly match: string;
  /** The match value of the n-th record. */
  readonly matchValue: (n: number) => string;
  /** The other fields of the n-th record; each `revision` differs in all of them. */
  readonly record: (n: number, revision: number) => DestinationRecord;
  /** Why what is accepted comes without the vendor's id. Default: all that is accepted has one. */
  readonly tellsNoIds?: string;
  /** Values that the vendor refuses in a record. */
  readonly bad: DestinationRecord;
  /** What the sandbox holds of this object, by match value. */
  readonly held: (contents: ReturnType<Sandbox["contents"]>) => ReadonlyMap<string, HeldRecord>;
}

export interface HeldRecord {
  readonly id: string;
  /** The fields that `record` names, as far as they have a value. */
  readonly record: DestinationRecord;
}

/** Time that passes as fast as it is slept. */
export function swiftClock(): Clock {
  let ms = Date.now();
  return {
    now: () => new Date(ms),
    sleep: async (wanted, signal) => {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      ms += wanted;
    },
  };
}

/** The protocol that the suite speaks of to a destination. */
export const protocolOf = ({ protocol = http }: Pick<DestinationFixture, "protocol">): Protocol => protocol;

export interface Place extends AsyncDisposable {
  /** The sandbox's address. */
  readonly url: string;
  readonly protocol: Protocol;
  readonly adapter: DestinationAdapter;
  readonly fixture: DestinationFixture;
  readonly object: ObjectFixture;
  readonly connection: Connection;
  readonly secrets: readonly string[];
  /** Another connection to the same sandbox, with other settings. */
  readonly connect: (settings: Readonly<Record<string, unknown>>) => Connection;
  readonly held: () => ReadonlyMap<string, HeldRecord>;
  /** All that the account holds. */
  readonly contents: () => ReturnType<Sandbox["contents"]>;
  readonly strike: (fault: Fault["fault"], where?: Omit<Fault, "fault">) => Promise<void>;
  readonly trouble: (trouble: Trouble) => Promise<void>;
  /** Ends all faults. */
  readonly calm: () => Promise<void>;
  /** What was asked of the sandbox lately. */
  readonly asked: () => Promise<readonly SandboxExchange[]>;
  /** Shuts the sandbox: connections to it are refused from then on. */
  readonly shut: () => Promise<void>;
}

export interface PlaceOptions {
  readonly adapter: DestinationAdapter;
  readonly createSandbox: CreateSandbox | CreateListeningSandbox | ((options: SandboxOptions) => ServableSandbox);
  readonly fixture: DestinationFixture;
  readonly object: ObjectFixture;
  /** With pace, trace and retry around it, as a run has it. */
  readonly wrapped?: boolean;
  readonly sandbox?: SandboxOptions;
  /** Puts a defect into each connection. */
  readonly spoil?: (connection: Connection, secrets: readonly string[]) => Connection;
}

export async function openPlace(options: PlaceOptions): Promise<Place> {
  const { adapter, createSandbox, fixture, object, spoil } = options;
  const served = await serveSandbox(createSandbox({ limits: false, seed: fixture.seed, ...options.sandbox }));
  const secrets = secretsOf(adapter, fixture);
  const closing: (() => Promise<void>)[] = [];
  const connect = (settings: Readonly<Record<string, unknown>>): Connection => {
    const given = { base_url: served.url, ...fixture.connection, ...settings };
    const [connection, close] = assemble(adapter, given, secrets, options.wrapped ?? false);
    closing.push(close);
    return spoil ? spoil(connection, secrets) : connection;
  };
  const control = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`${served.control}/_sandbox/${path}`, init);
    if (!answer.ok) throw new Error(`the sandbox answered ${answer.status}: ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  const strike: Place["strike"] = async (fault, where = {}) =>
    void (await control("POST", "faults", { times: null, ...where, fault }));
  return {
    url: served.url,
    protocol: protocolOf(fixture),
    adapter,
    fixture,
    object,
    connection: connect({}),
    secrets,
    connect,
    contents: () => served.sandbox.contents(),
    held: () => object.held(served.sandbox.contents()),
    strike,
    trouble: ({ fault, method, path, after, times }) =>
      strike(fault, {
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
        ...(after === undefined ? {} : { after }),
        ...(times === undefined ? {} : { times }),
      }),
    calm: async () => void (await control("DELETE", "faults")),
    asked: async () => ((await control("GET", "requests")) as { last: Awaited<ReturnType<Place["asked"]>> }).last,
    shut: async () => {
      await served.close();
      // The client learns of its closed connection a moment later.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
    [Symbol.asyncDispose]: async () => {
      // The sandbox first: what it left hanging would keep the clients waiting.
      await served.close();
      await Promise.all(closing.map((close) => close()));
    },
  };
}

function assemble(
  adapter: DestinationAdapter,
  given: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
  wrapped: boolean,
): [Connection, close: () => Promise<void>] {
  const config = adapter.connection.parse(given);
  const clock = swiftClock();
  const reached = { name: "place", adapter, secrets, allowed: ["127.0.0.0/8"], clock };
  const outbound = createFetch(reached);
  const dial = createDial(reached);
  const close = async (connection: Connection): Promise<void> => {
    await connection.close?.();
    await outbound.close();
  };
  const requests = (turns: Turns) => openRequest({ turns, clock, secrets, onExchange: () => undefined });
  if (!wrapped) {
    const request = requests(unlimited);
    const bare = adapter.connect(config, { ...contextOf(outbound.fetch), dial, request });
    return [bare, () => close(bare)];
  }
  const traced = traceFetch(outbound.fetch, clock, () => undefined);
  const turns = memoryPacer(adapter.limits(config), 0.8, clock);
  const context = { ...contextOf(pace(traced, turns)), dial, request: requests(turns) };
  const connection = retry(adapter.connect(config, context), { clock, random: Math.random });
  return [connection, () => close(connection)];
}

/** The settings that are marked secret, as text. */
function secretsOf(adapter: DestinationAdapter, { connection }: DestinationFixture): readonly string[] {
  return Object.entries(adapter.connection.shape).flatMap(([name, setting]) => {
    const value = connection[name];
    return setting.meta?.()?.["secret"] === true && typeof value === "string" ? [value] : [];
  });
}

/** The changes for the records `from` up to `to`, in a given revision. */
export function changesOf({ match, matchValue, record }: ObjectFixture, ns: readonly number[], revision = 0): Change[] {
  return ns.map((n) => ({
    seq: 100 + n,
    match: { [match]: matchValue(n) },
    record: record(n, revision),
    destinationId: undefined,
    renamed: false,
  }));
}

export function batchOf(
  { name, settings, match, record }: ObjectFixture,
  changes: readonly Change[],
  operation: Operation = "upsert",
): Batch {
  const fields = Object.keys(record(0, 0));
  const id = `batch-${hash("sha256", JSON.stringify([operation, changes]), "hex").slice(0, 12)}`;
  return { object: name, settings, operation, fields, match: [match], changes, id };
}

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
