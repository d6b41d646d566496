/** The driver's process as the service sees it: calls with answers. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WarehouseError } from "../../errors.ts";
import { warehouseError } from "./errors.ts";
import type { Answer, Call, FromProcess } from "./protocol.ts";

export interface DriverOptions {
  /** The most memory for the driver's rows; a result that needs more ends the statement, not the service. */
  readonly memoryMb: number;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: WarehouseError) => void;
}

/** What the driver does of its own accord when it is loaded: look for a cloud's metadata service, load native telemetry. */
const quiet = {
  SNOWFLAKE_DISABLE_PLATFORM_DETECTION: "true",
  SNOWFLAKE_DISABLE_MINICORE: "true",
  SF_TELEMETRY_DISABLE_CONNECTION_SHAPE: "true",
};

export class Driver {
  readonly #options: DriverOptions;
  readonly #pending = new Map<number, Pending>();
  #process: ChildProcess | undefined;
  #calls = 0;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /** Makes a call. An aborted signal stops it, in Snowflake too. */
  async call(call: Call, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const child = (this.#process ??= this.#start());
    const id = (this.#calls += 1);
    const stop = (): void => this.stop(id);
    signal?.addEventListener("abort", stop);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        if (this.#pending.size === 0) keepOpen(child);
        this.#pending.set(id, { resolve, reject });
        child.send({ ...call, id });
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /** Stops a call, or ends the reading of its answer. */
  stop(id: number): void {
    this.#process?.send({ call: "stop", of: id, id: 0 });
  }

  async close(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  }

  #start(): ChildProcess {
    const compileCache = getCompileCacheDir();
    const child = fork(new URL("./driver-process.ts", import.meta.url), {
      // For each file that it transfers the driver makes a temporary folder and leaves it; the process removes this one.
      env: {
        ...process.env,
        ...quiet,
        ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }),
        TMPDIR: mkdtempSync(join(tmpdir(), "sluice-snowflake-driver-")),
      },
      execArgv: [`--max-old-space-size=${this.#options.memoryMb}`, "--max-semi-space-size=8"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let lastWords = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (lastWords = (lastWords + text).slice(-4000)));
    child.on("message", (message: FromProcess) => this.#settle(child, message));
    child.on("error", (error) => this.#lost(child, error.message));
    child.on("close", () => this.#lost(child, lastWords));
    return child;
  }

  #settle(child: ChildProcess, message: FromProcess): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) letGo(child);
    if ("answer" in message) pending?.resolve(message.answer);
    else pending?.reject(warehouseError(message.failure));
  }

  #lost(child: ChildProcess, lastWords: string): void {
    if (this.#process === child) this.#process = undefined;
    for (const { reject } of this.#pending.values()) reject(this.#lossOf(child, lastWords));
    this.#pending.clear();
  }

  #lossOf({ exitCode, signalCode }: ChildProcess, lastWords: string): WarehouseError {
    if (/heap out of memory|heap limit/.test(lastWords))
      return new WarehouseError(
        "out_of_memory",
        `The Snowflake driver needed more than ${this.#options.memoryMb} MB.`,
        {
          hint: "Raise driver_memory_mb in the source's connection, or select fewer or smaller columns.",
        },
      );
    const how = signalCode === null ? `with code ${exitCode}` : `by ${signalCode}`;
    return new WarehouseError("unreachable", `The process of the Snowflake driver ended ${how}.`, {
      hint: "Try again: a new one is started.",
      cause: new Error(lastWords),
    });
  }
}

/** A process with nothing to do keeps no command from ending. */
function letGo(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

function keepOpen(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}
