/** `sluice start`: the service. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { GlobalOptions, Role } from "./face.ts";
import { writeLine } from "./output.ts";
import { wholeNumber } from "./number.ts";
import type { AddCommand } from "./command.ts";

export const startCommand: AddCommand = (program, face) => {
  program
    .command("start")
    .addOption(new Option("--role <role>", "what this process does").choices(["all", "api", "worker"]).default("all"))
    .option("--host <address>", "where the API listens (SLUICE_HOST)")
    .option("--port <port>", "its port (SLUICE_PORT)", wholeNumber(0, 65_535))
    .description("run the service: API, workers, schedules")
    .action(async (options: { role: Role; host?: string; port?: number }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      const stopping = new AbortController();
      const stop = (): void => stopping.abort();
      process.once("SIGINT", stop).once("SIGTERM", stop);
      const onListening = (url: string | null): void =>
        writeLine(
          face.terminal.stderr,
          url ? `Sluice listens on ${url}. Ctrl-C stops it.` : "Sluice works. Ctrl-C stops it.",
        );
      const { role, host, port } = options;
      await face.serve({ role, folder: resolve(global.dir), host, port, onListening }, stopping.signal);
    });
};
