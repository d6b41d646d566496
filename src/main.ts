/** Wires everything: reads the settings, opens what a command or a role needs, closes it in reverse order. */
import { resolve } from "node:path";
import type { Face, Session } from "./cli/face.ts";
import { runProgram } from "./cli/program.ts";
import { remoteOperations } from "./cli/remote.ts";
import { readConfig } from "./config.ts";
import { loadWorkspace } from "./documents/load.ts";
import { openService, takeOverFolder } from "./open-service.ts";
import { localOperations } from "./operations/local.ts";
import type { Service } from "./operations/service.ts";
import { openRegistry, type Registry } from "./registry.ts";
import { FolderLocked } from "./store/lock.ts";

/** Runs one command line of this process. Returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  // Who reads may stop reading, as "head" does: what is under way goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosed);
  const environment = process.env;
  const registry = await openRegistry();
  const face: Face = {
    terminal: { stdout: process.stdout, stderr: process.stderr },
    environment,
    loadWorkspace: (folder) => loadWorkspace(folder, registry),
    openSession: ({ folder, url, variables }) =>
      openSession({ folder: resolve(folder), url, environment: { ...environment, ...variables } }, registry),
    serve: async (options, signal) => (await import("./serve.ts")).serve(options, environment, registry, signal),
    serveSandbox: async (type, { port, limits, seed }) => {
      const createSandbox = await registry.loadSandbox(type);
      const { serveSandbox } = await import("./serve-sandbox.ts");
      return serveSandbox(createSandbox({ limits, seed }), { port });
    },
    isWarehouse: (type) => registry.warehouseTypes().includes(type) && !registry.destinationTypes().includes(type),
    serveWarehouse: async (type, options) => (await registry.loadWarehouseSandbox(type))(options),
  };
  return runProgram(argv, face);
}

function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

interface SessionOptions {
  readonly folder: string;
  readonly url: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** Over HTTP where a service is named or holds the folder; else in place. */
async function openSession({ folder, url, environment }: SessionOptions, registry: Registry): Promise<Session> {
  if (url !== undefined) return remoteSession(url, environment["SLUICE_API_KEY"]);
  const config = readConfig(environment);
  let service: Service;
  try {
    service = await openService(config, { folder, environment, registry });
  } catch (error) {
    if (error instanceof FolderLocked && error.service) return remoteSession(error.service.url, error.service.key);
    throw error;
  }
  try {
    if (config.databaseUrl === undefined) await takeOverFolder(service);
    return { operations: localOperations(service, { ring: null }), [Symbol.asyncDispose]: () => service.store.close() };
  } catch (error) {
    await service.store.close();
    throw error;
  }
}

function remoteSession(url: string, key: string | undefined): Session {
  return { operations: remoteOperations(url, key), [Symbol.asyncDispose]: () => Promise.resolve() };
}
