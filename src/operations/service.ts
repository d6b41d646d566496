/** What the operations work with; `main.ts` opens it. */
import type { Breaker } from "../connection/breaker.ts";
import type { Turns } from "../connection/pace.ts";
import type { TokenKeeper } from "../connection/tokens.ts";
import type { Sealer } from "../security/sealing.ts";
import type { Registry } from "../registry.ts";
import type { Store } from "../store/open.ts";
import type { Clock, Random } from "../sync/ports.ts";
import type { Places } from "./places.ts";

export interface Service {
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  /** Where `${env:NAME}` in documents is looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Seals and opens the secrets that the store keeps. */
  readonly sealer: Sealer;
  /** Hosts and ranges that destinations may reach although they are private. */
  readonly allowedAddresses: readonly string[];
  /** Where those wait who use one credential, for each that this process has used. */
  readonly lines: Map<string, Line>;
  /** Which runs this process does at a time. */
  readonly places: Places;
  /** The access token of each grant that this process has used. */
  readonly tokens: Map<string, TokenKeeper>;
  /** Where relative paths of documents start. */
  readonly folder: string;
  /** What this service keeps on disk. */
  readonly dataDir: string;
  /** Below it destinations may write files. */
  readonly filesDir: string;
  /** Changes of a large plan that a worker takes at a time, where several send it. */
  readonly partRows: number;
  /** Names this process in leases. */
  readonly worker: string;
}

/** Where all wait for one credential: for their turn, and until the destination is back. */
export interface Line {
  readonly turns: Turns;
  readonly breaker: Breaker;
}

/** How long a run stays a worker's without a sign of life. */
export const leaseMs = 30_000;

/** What becomes of a run that is asked for: a worker is told, or this process does it itself when it is waited for. */
export interface Dispatch {
  readonly ring: ((runId: string) => Promise<void>) | null;
}
