/** `sluice sandbox`: a vendor's API on loopback, to try a sync without an account. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const sandboxCommand: AddCommand = (program, face) => {
  program
    .command("sandbox")
    .argument("<type>", "the kind of destination, such as hubspot")
    .option("--port <port>", "where it listens; 0 takes any free one", (text) => Number.parseInt(text, 10), 8090)
    .option("--no-limits", "answer as fast as it can, without the vendor's rate limits")
    .option("--seed <file>", "a JSON file of what the account has, such as custom properties")
    .description("run a stateful sandbox of a vendor's API on 127.0.0.1")
    .action(async (type: string, options: { port: number; limits: boolean; seed?: string }, _command: Command) => {
      const seed: unknown = options.seed === undefined ? undefined : JSON.parse(await readFile(options.seed, "utf8"));
      const sandbox = await face.serveSandbox(type, { port: options.port, limits: options.limits, seed });
      writeLine(face.terminal.stderr, `The ${type} sandbox listens on ${sandbox.url}. Ctrl-C stops it.`);
      writeLine(
        face.terminal.stderr,
        `What it holds: ${sandbox.url}/_sandbox/contents, what it was asked: ${sandbox.url}/_sandbox/requests`,
      );
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      await sandbox.close();
    });
};
