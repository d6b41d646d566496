/**
 * A Snowflake on loopback, which Snowflake's own driver talks to: its protocol, its stages and so much of its SQL as the
 * planner and ordinary models need, run by DuckDB. What it does not know it refuses by name.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import type { ServedWarehouse, ServeWarehouse } from "../../../warehouse.ts";
import { controlRoutes } from "./control.ts";
import { Engine } from "./engine.ts";
import { Executor } from "./execute.ts";
import { Faults } from "./faults.ts";
import { Queries } from "./queries.ts";
import { driverRoutes } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { Stages } from "./stages.ts";
import type { SandboxUser } from "./users.ts";

export type { SnowflakeFault } from "./faults.ts";
export type { SandboxUser } from "./users.ts";

export interface SnowflakeSandboxOptions {
  /** 0, which is the default, takes any that is free. */
  readonly port?: number;
  /** A DuckDB file with the data; in memory when it is not given. */
  readonly database?: string | undefined;
  /** Who may log in; anyone, with anything, when it is not given. */
  readonly users?: readonly SandboxUser[];
  /** So many rows come with the answer, the others in chunks. */
  readonly inlineRows?: number;
  readonly chunkRows?: number;
  /** How long a session's token is good for before it has to be renewed. */
  readonly tokenSeconds?: number;
  /** After so long a client is told to ask again for its answer. */
  readonly answerSeconds?: number;
  /** The role may write nothing but temporary tables and its own stage. */
  readonly readOnly?: boolean;
  /** DuckDB's. */
  readonly memoryLimit?: string;
}

export interface ServedSnowflake extends ServedWarehouse {
  readonly faults: Faults;
  /** Their files, as they lie on the disk. */
  readonly stages: Stages;
}

/** Serves a Snowflake on loopback. Its files are gone when it is closed, but for the database if it was given. */
async function serveSnowflake(options: SnowflakeSandboxOptions = {}): Promise<ServedSnowflake> {
  const { port = 0, inlineRows = 1000, chunkRows = 65_536, tokenSeconds = 3600, answerSeconds = 45 } = options;
  const folder = await mkdtemp(join(tmpdir(), "sluice-snowflake-sandbox-"));
  const engine = await Engine.open({
    file: options.database,
    memoryLimit: options.memoryLimit ?? "512MB",
    spillFolder: join(folder, "spill"),
  });
  const server = Fastify({ forceCloseConnections: true, bodyLimit: 256 * 1024 * 1024 });
  const stages = new Stages(join(folder, "stages"));
  const sessions = new Sessions(engine, tokenSeconds);
  const faults = new Faults();
  const [storageToken, chunkKey] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
  const loaded = new Set<string>();
  let address = "";
  const executor = new Executor({
    engine,
    stages,
    size: { inlineRows, chunkRows },
    readOnly: options.readOnly ?? false,
    url: () => address,
    storageToken,
    loaded,
    sessions,
    queries: () => queries,
  });
  const queries: Queries = new Queries(executor);
  readBodies(server);
  controlRoutes(server, {
    queries,
    faults,
    async reset() {
      queries.clear();
      faults.clear();
      loaded.clear();
      await sessions.closeAll();
      await stages.clear();
    },
  });
  await server.register((scope, _options, done) => {
    driverRoutes(scope, {
      sessions,
      queries,
      faults,
      stages,
      users: options.users,
      tokenSeconds,
      answerSeconds,
      storageToken,
      chunkKey,
      url: () => address,
    });
    done();
  });
  address = await server.listen({ port, host: "127.0.0.1" });
  return {
    url: address,
    run: (sql) => engine.run(sql),
    query: (sql) => engine.query(sql),
    faults,
    stages,
    async close() {
      queries.abortAll();
      await server.close();
      await sessions.closeAll();
      engine.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export default serveSnowflake satisfies ServeWarehouse;

/** JSON comes as text, to be parsed where it is checked; what goes to a stage is not read into memory. */
function readBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.addContentTypeParser("text/plain", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.addContentTypeParser("*", (_request, _payload, done) => done(null));
}
