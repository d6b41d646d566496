/** Opens both ends of a sync: the warehouse of its source, and the connection to its destination with all around it. */
import { hash } from "node:crypto";
import { join, resolve } from "node:path";
import { Breaker, breaking } from "../connection/breaker.ts";
import { legibly } from "../connection/legible.ts";
import { openBearer } from "../connection/bearer.ts";
import { Feeler } from "../connection/feel.ts";
import { pace, Pacer, restsOf, secondsAt, windowsOf } from "../connection/pace.ts";
import { openRequest } from "../connection/request.ts";
import { retry } from "../connection/retry.ts";
import { type Exchange, traceFetch } from "../connection/trace.ts";
import type { Connection, Context, DestinationAdapter } from "../destination.ts";
import type { DestinationDocument } from "../documents/destination.ts";
import { resolveConnection, resolveSecrets, secretTexts } from "../documents/secrets.ts";
import { bucketSchema, type SourceDocument } from "../documents/source.ts";
import { createDial } from "../dial.ts";
import { createFetch } from "../fetch.ts";
import type { PlannerPlace, Warehouse } from "../warehouse.ts";
import { knownTo } from "./secrets.ts";
import type { Line, Service } from "./service.ts";
import type { LookupSpec } from "../sync/ports.ts";
import { keeperOf } from "./tokens.ts";

/** The warehouse of a source. It connects on first use; whoever opens it closes it. */
export async function openWarehouse(source: SourceDocument, service: Service): Promise<Warehouse> {
  const adapter = await service.registry.loadWarehouse(source.type);
  const connection = resolveConnection(source, adapter.connection, await knownTo(source, service));
  return adapter.connect(connection, { planner: await plannerPlace(source, service), workspace: service.folder });
}

/** A source that is only read keeps plan and state in the service's data folder, or where it says. */
async function plannerPlace(source: SourceDocument, service: Service): Promise<PlannerPlace> {
  const { folder, dataDir } = service;
  const { name, planner } = source;
  if (planner.in === "warehouse") return planner;
  const { s3, path, memory_limit: memoryLimit } = planner;
  const place = { in: "local", scratch: join(dataDir, "scratch"), memoryLimit } as const;
  if (s3 === undefined) {
    return { ...place, store: { folder: path === undefined ? join(dataDir, "state", name) : resolve(folder, path) } };
  }
  const {
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    ...bucket
  } = bucketSchema.parse(
    resolveSecrets({ kind: "source", name, connection: JSON.parse(JSON.stringify(s3)) }, await knownTo(s3, service)),
  );
  return { ...place, store: { ...bucket, accessKeyId, secretAccessKey } };
}

/** A connection to a destination, and how many requests went through it. */
export interface OpenDestination extends AsyncDisposable {
  readonly connection: Connection;
  readonly requests: () => number;
  /** How long so many requests take at the most that the limits allow, in seconds; 0 where there are none. */
  readonly secondsFor: (requests: number) => number;
  /** Where it leads: the destination's name and address. */
  readonly place: string;
}

/**
 * The name under which plan and state of a sync are kept. State says what one place holds, so a sync that is pointed to
 * another destination, address, object or list begins anew there, and finds its state again when it is pointed back.
 */
export function plannerName({ name, object, settings }: LookupSpec["of"], place: string): string {
  return `${name}_${hash("sha256", JSON.stringify([place, object, settings]), "hex").slice(0, 8)}`;
}

export interface Outgoing {
  /** Throws when a request must not go out any more, however long it waited for its turn. */
  readonly mayGo?: () => void;
  readonly onExchange?: (exchange: Exchange) => void;
}

/** Connects to a destination: paced to the vendor's limits, retried where that is safe, counted. */
export async function openDestination(
  destination: DestinationDocument,
  service: Service,
  { mayGo, onExchange }: Outgoing = {},
): Promise<OpenDestination> {
  const adapter: DestinationAdapter = await service.registry.loadDestination(destination.type);
  const config = resolveConnection(destination, adapter.connection, await knownTo(destination, service));
  const secrets = [...secretTexts(adapter.connection, config)];
  const { clock, random, allowedAddresses: allowed } = service;
  let requests = 0;
  const count = (exchange: Exchange): void => {
    requests += 1;
    onExchange?.(exchange);
  };
  const reached = { adapter, name: destination.name, secrets, allowed, clock };
  const outbound = createFetch(reached);
  const counted = traceFetch(outbound.fetch, clock, count);
  const permitted: Context["fetch"] = async (url, init) => {
    mayGo?.();
    return await counted(url, init);
  };
  const { turns, breaker } = lineOf(destination, adapter, config, service);
  const restsIn = (headers: Headers): ReturnType<typeof restsOf> =>
    restsOf(adapter.quotas?.(headers) ?? [], destination.pace.share);
  const paced = pace(permitted, turns, restsIn);
  const bearer: Context["bearer"] = (grant) =>
    openBearer(grant, {
      fetch: paced,
      tokenFetch: outbound.fetch,
      keeper: keeperOf(grant, [destination.type, config], service),
      clock,
      learn: (secret) => void (secrets.includes(secret) || secrets.push(secret)),
      title: adapter.title,
    });
  const dial = createDial(reached);
  const request = openRequest({ turns, clock, secrets, mayGo, onExchange: count });
  const bare = adapter.connect(config, { fetch: paced, bearer, dial, request, folder: service.filesDir });
  const connection = retry(breaking(legibly(bare, secrets), breaker), { clock, random });
  return {
    connection,
    requests: () => requests,
    secondsFor: (number) => secondsAt(windowsOf(adapter.limits(config), destination.pace.share), number),
    place: `${destination.name} ${placeOf(adapter, config)}`,
    [Symbol.asyncDispose]: async () => {
      await connection.close?.();
      await outbound.close();
    },
  };
}

function placeOf(adapter: DestinationAdapter, config: Readonly<Record<string, unknown>>): string {
  return adapter.place?.(config) ?? String(config["base_url"]);
}

/** The line of a destination's credential: whoever uses the same one, in whatever document, waits in it. */
function lineOf(
  { name, pace: { share } }: DestinationDocument,
  adapter: DestinationAdapter,
  config: Readonly<Record<string, unknown>>,
  { store, clock, random, lines }: Service,
): Line {
  const windows = windowsOf(adapter.limits(config), share);
  const secrets = secretTexts(adapter.connection, config);
  const identity = [adapter.type, adapter.place?.(config) ?? config["base_url"], secrets.length > 0 ? secrets : name];
  const credential = hash("sha256", JSON.stringify(identity), "hex").slice(0, 32);
  const key = JSON.stringify([credential, windows]);
  const known = lines.get(key);
  if (known) return known;
  const turns = windows.length === 0 ? new Feeler(clock) : new Pacer(store.pace, credential, windows, clock);
  const line = { turns, breaker: new Breaker({ clock, random }) };
  lines.set(key, line);
  return line;
}
