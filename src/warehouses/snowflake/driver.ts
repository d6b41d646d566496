/** The driver's thread as the service sees it: calls with answers. */
import { Worker } from "node:worker_threads";
import { WarehouseError } from "../../errors.ts";
import { warehouseError } from "./errors.ts";
import type { Answer, Call, FromThread } from "./protocol.ts";

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
  #thread: Worker | undefined;
  #calls = 0;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /** Makes a call. An aborted signal stops it, in Snowflake too. */
  async call(call: Call, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const thread = (this.#thread ??= this.#start());
    const id = (this.#calls += 1);
    const stop = (): void => this.stop(id);
    signal?.addEventListener("abort", stop);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        if (this.#pending.size === 0) thread.ref();
        this.#pending.set(id, { resolve, reject });
        thread.postMessage({ ...call, id });
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
    this.#thread?.postMessage({ call: "stop", of: id, id: 0 });
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL("./driver-thread.ts", import.meta.url), {
      env: { ...process.env, ...quiet },
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryMb, maxYoungGenerationSizeMb: 16 },
      stdout: true,
      stderr: true,
    });
    thread.on("message", (message: FromThread) => this.#settle(thread, message));
    thread.on("error", (error) => this.#lost(thread, error));
    thread.on("exit", () => this.#lost(thread, new Error("the driver's thread has ended")));
    return thread;
  }

  #settle(thread: Worker, message: FromThread): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    // A thread with nothing to do keeps no command from ending.
    if (this.#pending.size === 0) thread.unref();
    if ("answer" in message) pending?.resolve(message.answer);
    else pending?.reject(warehouseError(message.failure));
  }

  #lost(thread: Worker, cause: Error): void {
    if (this.#thread === thread) this.#thread = undefined;
    const outOfMemory = (cause as { code?: string }).code === "ERR_WORKER_OUT_OF_MEMORY";
    for (const { reject } of this.#pending.values()) {
      reject(
        outOfMemory
          ? new WarehouseError("out_of_memory", `The Snowflake driver needed more than ${this.#options.memoryMb} MB.`, {
              hint: "Raise driver_memory_mb in the source's connection, or select fewer or smaller columns.",
              cause,
            })
          : new WarehouseError("unreachable", `The Snowflake driver ended: ${cause.message}`, { cause }),
      );
    }
    this.#pending.clear();
  }
}
