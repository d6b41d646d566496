/**
 * A throw-away Postgres for tests: a private cluster in a temporary folder, or the server that
 * SLUICE_TEST_DATABASE_URL names.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

export interface TestPostgres {
  /** The maintenance database. Tests use `database()` instead. */
  readonly url: string;
  /** Makes an empty database and gives its URL. */
  database(): Promise<string>;
  /** Drops the databases that it made, and ends the cluster if it started one. Safe to call twice. */
  stop(): Promise<void>;
}

/** A cluster that a test may restart, crash, and stop for a while. */
export interface PostgresServer extends TestPostgres {
  /** Ends it, `fast` (every session is told) or `immediate` (a crash), and starts it again on the same port. */
  restart(mode: "fast" | "immediate"): Promise<void>;
  /** It stands still with all its sessions, and keeps their connections: nobody is told. */
  freeze(): void;
  thaw(): void;
}

/** Starts a cluster of its own, unless SLUICE_TEST_DATABASE_URL names a server. Throws if there are no Postgres programs. */
export async function startPostgres(): Promise<TestPostgres> {
  const given = process.env["SLUICE_TEST_DATABASE_URL"];
  if (given === undefined) return startPostgresServer();
  const { database, made } = databasesOf(given);
  async function stop(): Promise<void> {
    for (const name of made) await execute(given ?? "", `drop database if exists ${name} with (force)`);
  }
  let stopping: Promise<void> | undefined;
  return { url: given, database, stop: () => (stopping ??= stop()) };
}

/** Starts a cluster of its own. Throws if there are no Postgres programs. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const { stop, ...cluster } = await startCluster();
  let stopping: Promise<void> | undefined;
  return { ...cluster, database: databasesOf(cluster.url).database, stop: () => (stopping ??= stop()) };
}

function databasesOf(server: string): { readonly made: readonly string[]; readonly database: () => Promise<string> } {
  const made: string[] = [];
  async function database(): Promise<string> {
    const name = `sluice_test_${randomBytes(6).toString("hex")}`;
    await execute(server, `create database ${name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`);
    made.push(name);
    const url = new URL(server);
    url.pathname = `/${name}`;
    return url.href;
  }
  return { made, database };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function startCluster(): Promise<Omit<PostgresServer, "database">> {
  const programs = findPrograms();
  const owner = ownerOfCluster();
  const folder = mkdtempSync(join(tmpdir(), "sluice-postgres-"));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);

  const init = ["-D", folder, "-U", "sluice", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
  const made = spawnSync(join(programs, "initdb"), init, { ...owner, cwd: folder, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || String(made.error)}`);

  const port = await freePort();
  const url = `postgres://sluice@127.0.0.1:${port}/postgres`;
  let server = launch(join(programs, "postgres"), folder, port, owner);
  // A test process that dies early must not leave a server behind.
  const endWithProcess = (): void => void server.kill("SIGQUIT");
  process.once("exit", endWithProcess);

  async function stop(): Promise<void> {
    process.off("exit", endWithProcess);
    signalAll(server, "SIGCONT");
    await end(server, "SIGQUIT");
    rmSync(folder, { recursive: true, force: true });
  }

  async function restart(mode: "fast" | "immediate"): Promise<void> {
    await end(server, mode === "fast" ? "SIGINT" : "SIGQUIT");
    server = launch(join(programs, "postgres"), folder, port, owner);
    await answering(server, url);
  }

  try {
    await answering(server, url);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    stop,
    restart,
    freeze: () => signalAll(server, "SIGSTOP"),
    thaw: () => signalAll(server, "SIGCONT"),
  };
}

function launch(program: string, folder: string, port: number, owner: Owner | undefined): ChildProcess {
  const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "100" };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return spawn(program, ["-D", folder, "-p", String(port), "-h", "127.0.0.1", "-k", folder, ...options], {
    ...owner,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** Resolves when the server answers. */
async function answering(server: ChildProcess, url: string): Promise<void> {
  let log = "";
  server.stderr?.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-10_000)));
  for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
    try {
      return await execute(url, "select 1");
    } catch (error) {
      if (server.exitCode === null && Date.now() < deadline) continue;
      throw new Error(`the test Postgres did not start:\n${log}`, { cause: error });
    }
  }
}

async function end(server: ChildProcess, signal: "SIGINT" | "SIGQUIT"): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill(signal);
  await exited;
}

/** To the server and its sessions, each of which is a process of its own. */
function signalAll({ pid }: ChildProcess, signal: "SIGSTOP" | "SIGCONT"): void {
  if (pid === undefined) return;
  const children = spawnSync("ps", ["--ppid", String(pid), "-o", "pid="], { encoding: "utf8" }).stdout;
  for (const one of [pid, ...children.split("\n").filter(Boolean).map(Number)]) {
    try {
      process.kill(one, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The newest Postgres on this machine, or the one on the PATH. */
function findPrograms(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(root, version, "bin")), ...(process.env["PATH"] ?? "").split(":")];
  const found = folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
  if (found === undefined) {
    throw new Error(
      "No Postgres programs (initdb, postgres) were found. Install postgresql, or set SLUICE_TEST_DATABASE_URL to the URL of a server where databases may be made.",
    );
  }
  return found;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Postgres refuses to run as root, so root runs it as the account `postgres`. */
function ownerOfCluster(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const account = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "postgres");
  if (account === undefined) {
    throw new Error(
      "Postgres cannot run as root and there is no account `postgres`. Run the tests as another user, or set SLUICE_TEST_DATABASE_URL.",
    );
  }
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
