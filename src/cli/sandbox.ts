/** `sluice sandbox`: a vendor's API on loopback, to try a sync without an account. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { writeLine } from "./output.ts";
import { wholeNumber } from "./number.ts";
import type { AddCommand } from "./command.ts";

interface SandboxOptions {
  readonly port: number;
  readonly limits: boolean;
  readonly seed?: string;
  readonly database?: string;
}

export const sandboxCommand: AddCommand = (program, face) => {
  program
    .command("sandbox")
    .argument("<type>", "hubspot, postgres, or another kind of destination; snowflake, a kind of source")
    .option("--port <port>", "where it listens; 0 takes any free one", wholeNumber(0, 65_535), 8090)
    .option("--no-limits", "answer as fast as it can, without the vendor's rate limits")
    .option("--seed <file>", "a JSON file of what the account has, such as custom properties")
    .option("--database <file>", "a warehouse's: the DuckDB file whose tables it has")
    .description("run a stateful sandbox of a vendor's API on 127.0.0.1")
    .action(async (type: string, { port, limits, seed: file, database }: SandboxOptions, _command: Command) => {
      const seed: unknown = file === undefined ? undefined : JSON.parse(await readFile(file, "utf8"));
      const sandbox = face.isWarehouse(type)
        ? await face.serveWarehouse(type, { port, database })
        : await face.serveSandbox(type, { port, limits, seed });
      writeLine(face.terminal.stderr, `The ${type} sandbox listens on ${sandbox.url}. Ctrl-C stops it.`);
      const control = "control" in sandbox ? sandbox.control : sandbox.url;
      const held = "sandbox" in sandbox ? `; what it holds: ${control}/_sandbox/contents` : "";
      writeLine(face.terminal.stderr, `What it was asked: ${control}/_sandbox/requests${held}`);
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      await sandbox.close();
    });
};
