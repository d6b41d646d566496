/**
 * A whole site for the fault tests: Postgres and Redis servers of its own, a warehouse, a HubSpot sandbox, and the real
 * service in processes, one API and any number of workers. Its sync is due every two seconds: whatever breaks, it must
 * find its way back without a hand.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import createSandbox from "../../destinations/hubspot/sandbox.ts";
import type { Fault } from "../../src/sandbox.ts";
import { serveSandbox, type ServedSandbox } from "../../src/serve-sandbox.ts";
import { type RunJson, RunningService } from "../end-to-end/business.ts";
import { type PostgresServer, startPostgresServer } from "../postgres.ts";
import { type RedisServer, startRedisServer } from "../redis.ts";
import { account, poison, workspace } from "./workspace.ts";

/** Whatever breaks, a site is whole again so soon after it is mended. */
export const recoveryMs = 60_000;

const command = join(import.meta.dirname, "../../src/cli/sluice.js");

export interface SiteOptions {
  readonly rows?: number;
  readonly workers?: number;
  /** Where plan and state are. Default: in the warehouse. */
  readonly planner?: string;
  /** Default: every two seconds. */
  readonly schedule?: string;
  /** How long HubSpot takes for a batch. Default: long enough that a fault strikes while some are under way. */
  readonly batchMs?: number;
  /** Settings of the service beside those of its servers. */
  readonly settings?: Readonly<Record<string, string>>;
}

interface Servers {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly sandbox: ServedSandbox;
}

export class Site implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-faults-"));
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly sandbox: ServedSandbox;
  readonly workers: RunningService[] = [];
  environment: Record<string, string> = {};
  #api: RunningService | undefined;

  private constructor({ postgres, redis, sandbox }: Servers) {
    this.postgres = postgres;
    this.redis = redis;
    this.sandbox = sandbox;
  }

  static async open(options: SiteOptions = {}): Promise<Site> {
    const { rows = 4000, workers = 1, batchMs = 200, settings = {} } = options;
    const { planner = "{ in: warehouse }", schedule = "schedule: { every: 2s }" } = options;
    const [postgres, redis, sandbox] = await Promise.all([
      startPostgresServer(),
      startRedisServer(),
      serveSandbox(createSandbox({ limits: false, seed: account })),
    ]);
    const site = new Site({ postgres, redis, sandbox });
    try {
      site.environment = {
        ...settings,
        SLUICE_DATABASE_URL: await postgres.database(),
        SLUICE_REDIS_URL: redis.url,
        WAREHOUSE: await postgres.database(),
        TOKEN: "right-token",
        HUBSPOT: sandbox.url,
      };
      await site.#fill(rows);
      site.write("workspace.yaml", workspace(planner, schedule));
      await site.fault({ path: "/batch/", times: null, fault: { kind: "delay", ms: batchMs } });
      await site.#apply();
      site.#api = await site.start("api");
      for (let index = 0; index < workers; index += 1) await site.startWorker();
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  get api(): RunningService {
    if (this.#api === undefined) throw new Error("the API has not started");
    return this.#api;
  }

  /** The first worker. */
  get worker(): RunningService {
    const [first] = this.workers;
    if (first === undefined) throw new Error("there is no worker");
    return first;
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  async #fill(rows: number): Promise<void> {
    await this.sql(`create table accounts as select 'A' || id as id, 'Account ' || id as name,
      (id + 0.5)::numeric(12, 2) as mrr, (array['free', 'pro', 'team'])[1 + id % 3] as plan
      from generate_series(1, ${rows}) id`);
    await this.sql(`alter table accounts add primary key (id);
      update accounts set plan = '${poison}' where id in ('A7', 'A77', 'A777')`);
  }

  /** Runs SQL on the warehouse. */
  sql(statement: string): Promise<readonly (readonly unknown[])[]> {
    return this.#ask("WAREHOUSE", statement);
  }

  /** Runs SQL on the control store. */
  control(statement: string): Promise<readonly (readonly unknown[])[]> {
    return this.#ask("SLUICE_DATABASE_URL", statement);
  }

  /** Over a connection of its own. */
  async #ask(address: string, statement: string): Promise<readonly (readonly unknown[])[]> {
    const client = new pg.Client({ connectionString: this.environment[address] });
    client.on("error", () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
      return rows;
    } finally {
      await client.end();
    }
  }

  /** What people do to a model between two runs: rows change, leave and come. */
  async edit(turn: number): Promise<void> {
    await this.sql(`
      update accounts set mrr = mrr + ${turn + 1} where mod(hashtext(id), 2) = 0;
      delete from accounts where mod(hashtext(id || 'leaves'), 60) = ${turn % 60};
      insert into accounts select 'B${turn}-' || n, 'New ' || n, n, 'pro' from generate_series(1, 20) n
        on conflict do nothing`);
  }

  async start(role: "api" | "worker", environment: Record<string, string> = {}): Promise<RunningService> {
    const args = [command, "--dir", this.folder, "start", "--port", "0", "--role", role];
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env["PATH"], ...this.environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const service = new RunningService(child);
    await service.listening();
    return service;
  }

  async startWorker(environment?: Record<string, string>): Promise<RunningService> {
    const worker = await this.start("worker", environment);
    this.workers.push(worker);
    return worker;
  }

  async #apply(): Promise<void> {
    const child = spawn(process.execPath, [command, "--dir", this.folder, "apply"], {
      env: { PATH: process.env["PATH"], ...this.environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let told = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (told += text));
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`the workspace was not applied: ${told}`);
  }

  async fault(fault: Fault): Promise<void> {
    const body = JSON.stringify([fault]);
    const response = await fetch(`${this.sandbox.url}/_sandbox/faults`, { method: "POST", body });
    if (response.status !== 204) throw new Error(await response.text());
  }

  async clearFaults(): Promise<void> {
    await fetch(`${this.sandbox.url}/_sandbox/faults`, { method: "DELETE" });
  }

  /** How many batches HubSpot was sent. */
  async writes(): Promise<number> {
    const response = await fetch(`${this.sandbox.url}/_sandbox/requests`);
    const { byPath } = (await response.json()) as { byPath: Readonly<Record<string, number>> };
    return Object.entries(byPath).reduce((sum, [route, count]) => (route.includes("/batch/") ? sum + count : sum), 0);
  }

  async history(): Promise<readonly RunJson[]> {
    return ((await this.api.ask("GET", "/v1/runs?limit=500")).body as { data: readonly RunJson[] }).data;
  }

  /** Resolves with a run that is sending now, and is not the one that was left behind. */
  async sending(leftBehind?: string): Promise<RunJson> {
    for (const deadline = Date.now() + recoveryMs; Date.now() < deadline; await sleep(20)) {
      const run = (await this.history()).find((one) => one.status === "sending" && one.run !== leftBehind);
      if (run) return run;
    }
    throw new Error(`no run began to send: ${this.told()}`);
  }

  /** What HubSpot holds, one line a company, in order. */
  held(): readonly string[] {
    const companies = Object.values(this.sandbox.sandbox.contents()["companies"] ?? {}) as Record<string, string>[];
    return companies
      .filter((company) => company["account_id"] !== undefined)
      .map(({ account_id, name, mrr, plan_name }) => [account_id, name, Number(mrr), plan_name].join("|"))
      .toSorted();
  }

  heldKeys(): readonly string[] {
    return this.held()
      .map((line) => line.slice(0, line.indexOf("|")))
      .toSorted();
  }

  /** What it must hold: the model, mapped by hand, less the rows that it refuses. */
  async expected(): Promise<readonly string[]> {
    const rows = await this.sql(`select id, name, mrr::double precision, plan from accounts where plan <> '${poison}'`);
    return rows.map((row) => row.join("|")).toSorted();
  }

  /** Keys of which state says that HubSpot holds them. Null where state is not in the warehouse. */
  async claimed(): Promise<readonly string[] | null> {
    const [[table] = []] = await this.sql(
      `select format('%I.%I', schemaname, tablename) from pg_tables where tablename like 'state_companies%'`,
    );
    if (typeof table !== "string") return null;
    const rows = await this.sql(`select row_key from ${table} where fingerprint is not null`);
    return rows.map(([key]) => String(key)).toSorted();
  }

  /** The last that its processes have written. */
  told(): string {
    return [this.#api, ...this.workers].map((one) => one?.output.slice(-6000) ?? "").join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.postgres.thaw();
    this.redis.thaw();
    await Promise.all([this.#api?.stop("SIGKILL"), ...this.workers.map((worker) => worker.stop("SIGKILL"))]);
    await Promise.all([this.postgres.stop(), this.redis.stop(), this.sandbox.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
