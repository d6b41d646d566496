/** The whole service in this process: PGlite, DuckDB, a HubSpot sandbox, and the API on loopback, for attacks on it. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { DuckDBInstance } from "@duckdb/node-api";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import { type ApiOptions, createApi } from "../../src/api/server.ts";
import { documentOperations } from "../../src/operations/edit.ts";
import { mappingOperations } from "../../src/operations/edit-mapping.ts";
import { localOperations } from "../../src/operations/local.ts";
import type { RunView } from "../../src/operations/run-schemas.ts";
import type { Operations } from "../../src/operations/operations.ts";
import { Places } from "../../src/operations/places.ts";
import type { Service } from "../../src/operations/service.ts";
import { takeDeliveries } from "../../src/operations/webhooks.ts";
import { openRegistry } from "../../src/registry.ts";
import type { Fault } from "../../src/sandbox.ts";
import { type ServedSandbox, serveSandbox } from "../../src/serve-sandbox.ts";
import { Access } from "../../src/security/access.ts";
import { makeKey, type Scope, scopes } from "../../src/security/key.ts";
import { copyStore } from "../prepared-store.ts";
import { Sealer } from "../../src/security/sealing.ts";
import { openMetrics } from "../../src/telemetry/metrics.ts";
import { openStore } from "../../src/store/open.ts";

export interface HouseOptions {
  /** How many accounts the warehouse has. */
  readonly rows?: number;
  /** What else the warehouse is to hold. */
  readonly sql?: string;
  readonly patience?: ApiOptions["patience"];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly body: Record<string, unknown>;
}

const documents = [
  {
    kind: "source",
    name: "warehouse",
    type: "duckdb",
    connection: { path: "warehouse.duckdb", memory_limit: "128MB", threads: 1 },
  },
  { kind: "model", name: "accounts", source: "warehouse", table: "accounts", key: "id" },
  {
    kind: "destination",
    name: "hubspot",
    type: "hubspot",
    // oxlint-disable-next-line no-template-curly-in-string -- read by the service
    connection: { access_token: "${env:TOKEN}", base_url: "${env:HUBSPOT}" },
  },
  {
    kind: "sync",
    name: "companies",
    from: { model: "accounts" },
    to: { destination: "hubspot", object: "companies" },
    mode: "mirror",
    match: { account_id: "id" },
    fields: { name: "name" },
  },
] as const;

const properties = {
  companies: [
    { name: "account_id", type: "string", hasUniqueValue: true },
    { name: "signed", type: "date", fieldType: "date" },
  ],
};

export class House implements AsyncDisposable {
  readonly keys: Readonly<Record<Scope, string>>;
  readonly operations: Operations;
  readonly service: Service;
  readonly sandbox: ServedSandbox;
  readonly api: FastifyInstance;
  /** Lines of the service's log. */
  readonly log: readonly string[];
  /** Moves the clock of the throttle. */
  elapsed = 0;
  url = "";

  private constructor(service: Service, sandbox: ServedSandbox, keys: House["keys"], patience: ApiOptions["patience"]) {
    const lines: string[] = [];
    const write = (chunk: unknown, _encoding: string, done: () => void): void => {
      lines.push(String(chunk));
      done();
    };
    const logger = pino({ level: "trace", base: null }, new Writable({ write }));
    this.log = lines;
    this.service = service;
    this.sandbox = sandbox;
    this.keys = keys;
    this.operations = localOperations(service, { ring: null });
    this.api = createApi(this.operations, {
      readiness: () => service.store.ping(),
      logger,
      access: new Access({
        keys: service.store.keys,
        localHash: makeKey().hash,
        openWithoutKeys: true,
        now: () => this.elapsed,
      }),
      note: (entry) => service.store.audit.write(entry),
      takeDelivery: takeDeliveries(service, null),
      documents: documentOperations(service),
      mappings: mappingOperations(service),
      metrics: openMetrics(() => this.operations.status()),
      version: "1.2.3",
      patience,
    });
  }

  static async open({ rows = 20, sql = "", patience }: HouseOptions = {}): Promise<House> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-attacks-"));
    const database = await DuckDBInstance.create(join(folder, "warehouse.duckdb"), { threads: "1" });
    const connection = await database.connect();
    await connection.run(`create table accounts as select 'A' || id as id, 'Account ' || id as name, id + 0.5 as mrr
      from range(1, ${rows + 1}) t(id); ${sql}`);
    connection.closeSync();
    database.closeSync();
    copyStore(join(folder, "data"));
    const store = await openStore({ dataDir: join(folder, "data") });
    const sandbox = await serveSandbox(
      createSandbox({ limits: false, seed: { tokens: [{ token: canary }], properties } }),
    );
    const service: Service = {
      store,
      registry: await openRegistry(),
      clock: store.clock,
      random: Math.random,
      environment: { TOKEN: canary, HUBSPOT: sandbox.url },
      sealer: new Sealer(undefined),
      allowedAddresses: ["127.0.0.0/8", "::1/128"],
      lines: new Map(),
      places: new Places(),
      tokens: new Map(),
      folder,
      dataDir: join(folder, "data"),
      filesDir: join(folder, "files"),
      partRows: 100_000,
      worker: "attacks",
    };
    const house = new House(service, sandbox, await makeKeys(service), patience);
    house.url = await house.api.listen({ host: "127.0.0.1", port: 0 });
    await house.operations.apply([...documents], { prune: false, dryRun: false, author: "test" });
    return house;
  }

  /** Asks the API; with the admin's key if none is given, without any for null. */
  async ask(
    method: string,
    path: string,
    { body, key = this.keys.admin, headers = {} }: AskOptions = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true && text !== "";
    const parsed = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, headers: response.headers, text, body: parsed };
  }

  /** Sends these bytes on a connection of their own, and gives all that comes back until the service closes it. */
  async raw(bytes: string): Promise<string> {
    const socket = connect(Number(new URL(this.url).port), "127.0.0.1");
    socket.setEncoding("latin1").write(bytes, "latin1");
    const { promise, resolve } = Promise.withResolvers<string>();
    let answer = "";
    socket.on("data", (text: string) => (answer += text));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    return await promise;
  }

  /** One request with a head written by hand, after whose answer the connection ends. */
  async request(line: string, headers: readonly string[] = [], body = ""): Promise<string> {
    const all = [`${line} HTTP/1.1`, "host: x", "connection: close", `authorization: Bearer ${this.keys.admin}`];
    return await this.raw(`${[...all, ...headers].join("\r\n")}\r\n\r\n${body}`);
  }

  /** Runs SQL on the warehouse, as dbt would between runs. */
  async sql(statement: string): Promise<void> {
    const file = join(this.service.folder, "warehouse.duckdb");
    // The service closes the file a moment after its last use.
    for (const deadline = Date.now() + 5000; ; await sleep(50)) {
      try {
        const database = await DuckDBInstance.create(file, { threads: "1" });
        const connection = await database.connect();
        await connection.run(statement);
        connection.closeSync();
        return database.closeSync();
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** Does a run to its end. */
  async run(sync = "companies"): Promise<RunView> {
    const { run } = await this.operations.startRun(sync, { kind: "changes", trigger: "test" });
    return await this.operations.waitForRun(run, {});
  }

  /** How the destination answers from now on; nothing for as it always does. */
  async fault(...faults: readonly Fault[]): Promise<void> {
    const body = JSON.stringify(faults);
    await fetch(
      `${this.sandbox.url}/_sandbox/faults`,
      faults.length > 0 ? { method: "POST", body } : { method: "DELETE" },
    );
  }

  /** Every document as it is stored. */
  async stored(): Promise<string> {
    return JSON.stringify(await this.service.store.documents.list());
  }

  /** Whether the service still does its work. */
  async answers(): Promise<boolean> {
    return (await this.ask("GET", "/readyz")).status === 200 && (await this.ask("GET", "/v1/syncs")).status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    await this.sandbox.close();
    await this.service.store.close();
    rmSync(this.service.folder, { recursive: true, force: true });
  }
}

interface AskOptions {
  readonly body?: unknown;
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The credential of the destination, which must be nowhere else. */
export const canary = "pat-canary-4f1c9e";

async function makeKeys({ store }: Service): Promise<Record<Scope, string>> {
  const made = scopes.map((scope) => ({ scope, ...makeKey() }));
  for (const { id, scope, hash } of made)
    await store.keys.add({ id, name: `${scope} key`, scope, hash, createdBy: "test", lifeMs: null });
  const [read, run, write, admin] = made.map(({ text }) => text);
  return { read: read ?? "", run: run ?? "", write: write ?? "", admin: admin ?? "" };
}
