/** A throw-away Redis for tests: a server of its own on loopback, or the one that SLUICE_TEST_REDIS_URL names. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

export interface TestRedis {
  readonly url: string;
  /** Ends the server if it started one, else empties the database. Safe to call twice. */
  stop(): Promise<void>;
}

/** A Redis server that a test may kill, stop for a while, and start again where it was. */
export interface RedisServer extends TestRedis {
  /** SIGKILL: all that it held is gone. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>;
  /** It stands still, and keeps its connections: nobody is told. */
  freeze(): void;
  thaw(): void;
}

/**
 * True when tests that need Redis can run here. Without a Redis they are skipped, and say so; under CI that is a
 * failure.
 */
export function hasRedis(): boolean {
  return process.env["SLUICE_TEST_REDIS_URL"] !== undefined || hasRedisServer();
}

/** The same for tests that need a server of their own. */
export function hasRedisServer(): boolean {
  if (spawnSync("redis-server", ["--version"]).status === 0) return true;
  const remedy = "install redis-server, or set SLUICE_TEST_REDIS_URL to a server whose database may be emptied";
  if (process.env["CI"] === "true") throw new Error(`no redis-server was found: ${remedy}`);
  process.stderr.write(`\n*** SKIPPED: tests that need Redis. No redis-server was found: ${remedy}. ***\n\n`);
  return false;
}

/** Gives an empty Redis that keeps nothing on disk. */
export async function startRedis(): Promise<TestRedis> {
  const given = process.env["SLUICE_TEST_REDIS_URL"];
  if (given === undefined) return startRedisServer();
  const empty = async (): Promise<void> => {
    const redis = new Redis(given);
    await redis.flushdb();
    redis.disconnect();
  };
  await empty();
  return { url: given, stop: empty };
}

/** Starts a server of its own that keeps nothing on disk. */
export async function startRedisServer(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  const launch = (): ChildProcess =>
    spawn("redis-server", [...settings, "--maxmemory-policy", "noeviction"], { stdio: "ignore" });
  let server = launch();
  // A test process that dies early must not leave a server behind.
  const endWithProcess = (): void => void server.kill("SIGKILL");
  process.once("exit", endWithProcess);

  async function stop(): Promise<void> {
    process.off("exit", endWithProcess);
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  }

  async function restart(): Promise<void> {
    await end(server);
    server = launch();
    await answering(url);
  }

  try {
    await answering(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    stop,
    restart,
    kill: () => end(server),
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
  };
}

async function answering(url: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on("error", () => undefined);
  const answered = await Promise.race([redis.ping(), sleep(10_000)]);
  redis.disconnect();
  if (answered !== "PONG") throw new Error("the test Redis did not start");
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill("SIGKILL");
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
