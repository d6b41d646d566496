/**
 * A small business for the end-to-end tests: a DuckDB warehouse, a workspace, a HubSpot sandbox, and the real command
 * in processes of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import serveSnowflake, { type ServedSnowflake } from "../../src/warehouses/snowflake/sandbox/index.ts";
import { copyStore } from "../prepared-store.ts";
import type { Fault } from "../../src/sandbox.ts";
import { serveSandbox, type ServedSandbox } from "../../src/serve-sandbox.ts";

const command = join(import.meta.dirname, "../../src/cli/sluice.js");

const seed = {
  tokens: [{ token: "right-token" }],
  properties: {
    companies: [
      { name: "account_id", type: "string", hasUniqueValue: true },
      { name: "mrr", type: "number", fieldType: "number" },
      {
        name: "plan_name",
        type: "enumeration",
        fieldType: "select",
        options: ["free", "pro", "team"].map((value) => ({ label: value, value })),
      },
    ],
  },
};

/** What the warehouse of a business is. */
export type Source = "duckdb" | "snowflake";

const sources = {
  duckdb: `
kind: source
name: warehouse
type: duckdb
connection: { path: "\${env:WAREHOUSE}" }
`,
  snowflake: `
kind: source
name: warehouse
type: snowflake
connection:
  account: acme-eu1
  username: SLUICE
  password: "\${env:TOKEN}"
  base_url: "\${env:WAREHOUSE}"
  database: SANDBOX
  schema: PUBLIC
`,
} as const satisfies Record<Source, string>;

const workspace = `
kind: model
name: accounts
source: warehouse
table: accounts
key: id
---
kind: segment
name: paying
model: accounts
filter: { column: mrr, is: ">", value: 0 }
---
kind: destination
name: hubspot
type: hubspot
connection: { access_token: "\${env:TOKEN}", base_url: "\${env:HUBSPOT}" }
---
kind: sync
name: companies
from: { model: accounts, segment: paying }
to: { destination: hubspot, object: companies }
mode: mirror
match: { account_id: id }
fields: { name: name, mrr: mrr, plan_name: plan }
gate: { removed: 60%, rejected: 50%, keys: withhold }
`;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The fields of a run's JSON that the tests look at. */
export interface RunJson {
  readonly run: string;
  readonly status: string;
  readonly planned: { added: number; changed: number; removed: number; faulty_keys: number } | null;
  readonly unchanged: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly invalid: number;
  readonly in_doubt: number;
  readonly unsent: number;
  readonly requests: number;
  readonly failure: { code: string; message: string } | null;
  readonly trigger: string;
  readonly kind: string;
  readonly already_there: number;
  readonly not_found: number;
}

export interface BusinessOptions {
  readonly source?: Source;
  readonly planner?: string;
}

export class Business implements AsyncDisposable {
  readonly folder: string;
  readonly sandbox: ServedSandbox;
  readonly environment: Record<string, string>;
  /** Its Snowflake, where it has one. */
  readonly snowflake: ServedSnowflake | undefined;
  readonly #made = new Set<string>();

  private constructor(folder: string, sandbox: ServedSandbox, snowflake: ServedSnowflake | undefined) {
    this.folder = folder;
    this.sandbox = sandbox;
    this.snowflake = snowflake;
    const warehouse = snowflake?.url ?? join(folder, "warehouse.duckdb");
    this.environment = { WAREHOUSE: warehouse, TOKEN: "right-token", HUBSPOT: sandbox.url };
  }

  static async open(
    rows: number,
    { source = "duckdb", planner = "{ in: warehouse }" }: BusinessOptions = {},
  ): Promise<Business> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
    copyStore(join(folder, ".sluice"));
    const hubspot = await serveSandbox(createSandbox({ limits: false, seed }));
    const business = new Business(folder, hubspot, source === "snowflake" ? await serveSnowflake() : undefined);
    business.write("workspace.yaml", `${sources[source]}planner: ${planner}\n---${workspace}`);
    await business.sql(`create table accounts as select 'A' || id as id, 'Account ' || id as name,
      (case when id % 5 = 0 then 0 else id + 0.5 end)::decimal(12, 2) as mrr,
      ['free', 'pro', 'team'][1 + id % 3] as plan from range(1, ${rows + 1}) t(id)`);
    return business;
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  /** Runs SQL on the warehouse, as dbt would: alone, between runs. */
  async sql(statement: string): Promise<readonly (readonly string[])[]> {
    if (this.snowflake) return await sqlOn(this.snowflake, statement);
    const instance = await this.#openWarehouse();
    try {
      const connection: DuckDBConnection = await instance.connect();
      const reader = await connection.runAndReadAll(statement);
      connection.closeSync();
      return reader.getRows().map((row) => row.map(String));
    } finally {
      instance.closeSync();
    }
  }

  /** A service closes the file a moment after its last use. */
  async #openWarehouse(): Promise<DuckDBInstance> {
    for (const deadline = Date.now() + 5000; ; await sleep(50)) {
      try {
        return await DuckDBInstance.create(this.environment["WAREHOUSE"] ?? "", { threads: "1" });
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** Runs the command to its end, or kills it with SIGKILL after a while, or once HubSpot was asked so many times. */
  async sluice(
    args: readonly string[],
    options: {
      killAfterMs?: number;
      killAfterRequests?: number;
      environment?: Record<string, string>;
      /** What comes on its standard input. */
      input?: string;
    } = {},
  ): Promise<Finished> {
    const child = spawn(process.execPath, [command, "--dir", this.folder, ...args], {
      env: { PATH: process.env["PATH"], ...this.environment, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => undefined).end(options.input ?? "");
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const timer =
      options.killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.killAfterMs);
    const { killAfterRequests } = options;
    if (killAfterRequests !== undefined) {
      const until = (await this.requests()) + killAfterRequests;
      while (child.exitCode === null && (await this.requests()) < until) await sleep(5);
      child.kill("SIGKILL");
    }
    const [code] =
      child.exitCode === null && child.signalCode === null
        ? ((await once(child, "close")) as [number | null])
        : [child.exitCode];
    clearTimeout(timer);
    return { code, stdout, stderr };
  }

  /** Starts the service and waits until its API listens (a worker: until it works). */
  async start(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<RunningService> {
    const child = spawn(process.execPath, [command, "--dir", this.folder, "start", "--port", "0", ...args], {
      env: { PATH: process.env["PATH"], ...this.environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const service = new RunningService(child);
    await service.listening();
    return service;
  }

  async run(...more: readonly string[]): Promise<RunJson> {
    const { stdout, stderr } = await this.sluice(["--json", "run", "companies", ...more]);
    if (stdout === "") throw new Error(`no answer: ${stderr}`);
    return JSON.parse(stdout) as RunJson;
  }

  async fault(...faults: readonly Fault[]): Promise<void> {
    const response = await fetch(`${this.sandbox.url}/_sandbox/faults`, {
      method: "POST",
      body: JSON.stringify(faults),
    });
    if (response.status !== 204) throw new Error(await response.text());
  }

  async clearFaults(): Promise<void> {
    await fetch(`${this.sandbox.url}/_sandbox/faults`, { method: "DELETE" });
  }

  async requests(): Promise<number> {
    const { total } = (await (await fetch(`${this.sandbox.url}/_sandbox/requests`)).json()) as { total: number };
    return total;
  }

  /** What the sandbox holds of this sync, one line a company, in order. */
  held(): readonly string[] {
    const companies = Object.values(this.sandbox.sandbox.contents()["companies"] ?? {}) as Record<string, string>[];
    return companies
      .filter((company) => company["account_id"] !== undefined)
      .map((company) =>
        [company["account_id"], company["name"], Number(company["mrr"]), company["plan_name"]].join("|"),
      )
      .toSorted();
  }

  /** What it must hold: the segment, mapped by hand, less the rows with these keys. */
  async expected(without: readonly string[] = []): Promise<readonly string[]> {
    const rows = await this.sql("select id, name, mrr::double, plan from accounts where mrr > 0 and id is not null");
    return rows
      .filter(([id = ""]) => !without.includes(id))
      .map((row) => row.join("|"))
      .toSorted();
  }

  /** The keys that a run lists as rejected or invalid. */
  async rejectedKeys(run: string): Promise<readonly string[]> {
    const { stdout } = await this.sluice(["--json", "rejections", run, "--limit", "500"]);
    return (JSON.parse(stdout) as { data: { row_key: string }[] }).data.map(({ row_key }) => row_key);
  }

  /**
   * State rows that claim a record which the sandbox never made. (A record may have been archived by a run that was
   * killed before its commit; until that is recovered, state says what was acknowledged last.)
   */
  async falseClaims(): Promise<readonly string[]> {
    for (const id of Object.keys(this.sandbox.sandbox.contents()["companies"] ?? {})) this.#made.add(id);
    // A run that was killed early has not made it yet.
    const made = await this.sql("select table_name from duckdb_tables() where table_name like 'state_companies%'");
    if (made.length === 0) return [];
    const state = await this.sql(
      `select row_key, destination_id from sluice."${made[0]?.[0]}" where fingerprint is not null`,
    );
    return state.filter(([, id = ""]) => !this.#made.has(id)).map(([key = ""]) => key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.sandbox.close(), this.snowflake?.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function sqlOn(snowflake: ServedSnowflake, statement: string): Promise<readonly (readonly string[])[]> {
  if (/^\s*select/i.test(statement)) return (await snowflake.query(statement)).map((row) => row.map(String));
  await snowflake.run(statement);
  return [];
}

/** A service in a process of its own. */
export class RunningService implements AsyncDisposable {
  /** All that it has written. */
  output = "";
  url = "";
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  async listening(): Promise<void> {
    for (let waited = 0; waited < 30_000 && !this.ended; waited += 20) {
      this.url = /listens on (http:\/\/\S+)\./.exec(this.output)?.[1] ?? "";
      if (/Sluice (listens|works)/.test(this.output)) return;
      await sleep(20);
    }
    throw new Error(`the service did not start: ${this.output.slice(-2000)}`);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends a signal and waits for the end. Returns the exit code. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    if (!this.ended) {
      const closed = once(this.#child, "close");
      this.#child.kill(signal);
      await closed;
    }
    return this.#child.exitCode;
  }

  /** It stands still, as a process does whose machine was paused. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answered> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : {
            headers: { "content-type": "application/json" },
            body: typeof body === "string" ? body : JSON.stringify(body),
          }),
    });
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get("content-type") ?? "",
      body: text === "" ? null : JSON.parse(text),
    };
  }

  /** Asks for a run. */
  async run(sync = "companies", body: object = {}): Promise<RunJson> {
    return (await this.ask("POST", `/v1/syncs/${sync}/runs`, body)).body as RunJson;
  }

  /** The run once it has a status such as these. */
  async settled(id: string, statuses = /succeeded|partial|failed|cancelled|held/, withinMs = 30_000): Promise<RunJson> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline;) {
      const run = (await this.ask("GET", `/v1/runs/${id}`)).body as RunJson;
      if (statuses.test(run.status)) return run;
      await sleep(50);
    }
    throw new Error(`run ${id} did not settle: ${this.output.slice(-2000)}`);
  }

  /** The run that the service asks for by itself when one was cut short, once it has ended. */
  async recovered(id: string, withinMs = 30_000): Promise<RunJson> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(50)) {
      const { data } = (await this.ask("GET", "/v1/runs")).body as { data: readonly RunJson[] };
      const next = data.find(({ trigger }) => trigger === `recovery of ${id}`);
      if (next) return this.settled(next.run);
    }
    throw new Error(`run ${id} was not recovered: ${this.output.slice(-2000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** accepted + rejected + invalid + in doubt = planned. */
export function isAccountedFor(run: RunJson): boolean {
  const { added = 0, changed = 0, removed = 0, faulty_keys = 0 } = run.planned ?? {};
  return run.accepted + run.rejected + run.invalid + run.in_doubt === added + changed + removed + faulty_keys;
}
