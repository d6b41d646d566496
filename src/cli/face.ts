/** What the command needs of the rest; `main.ts` gives it. */
import type { LoadedWorkspace } from "../documents/load.ts";
import type { Operations } from "../operations/operations.ts";
import type { ServedSandbox } from "../serve-sandbox.ts";
import type { ServedWarehouse } from "../warehouse.ts";
import type { Terminal } from "./output.ts";

export interface Face {
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
  /** Reads a folder's documents. Throws with every mistake in them. */
  loadWorkspace(folder: string): Promise<LoadedWorkspace>;
  /**
   * In place: on the embedded control store of the folder, which first takes over the folder's documents, or on the
   * database of SLUICE_DATABASE_URL. With a URL, or where a service holds the folder: over HTTP.
   */
  openSession(options: {
    folder: string;
    url: string | undefined;
    /** Besides those of the environment. */
    variables?: Readonly<Record<string, string>>;
  }): Promise<Session>;
  /** Runs the service until the signal says stop. */
  serve(options: ServeOptions, signal: AbortSignal): Promise<void>;
  serveSandbox(type: string, options: { port: number; limits: boolean; seed: unknown }): Promise<ServedSandbox>;
  /** Whether a sandbox of this type is a warehouse's. */
  isWarehouse(type: string): boolean;
  /** A warehouse's sandbox, over the tables of a DuckDB file. */
  serveWarehouse(type: string, options: { port: number; database: string | undefined }): Promise<ServedWarehouse>;
}

export type Role = "all" | "api" | "worker";

export interface ServeOptions {
  readonly role: Role;
  readonly folder: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly onListening: (url: string | null) => void;
}

export interface Session extends AsyncDisposable {
  readonly operations: Operations;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly dir: string;
  readonly url?: string;
  readonly json?: boolean;
}
