/** `sluice grants`: what must a source's owner run? */
import type { Command } from "commander";
import type { GlobalOptions } from "./face.ts";
import { writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const grantsCommand: AddCommand = (program, face) => {
  program
    .command("grants")
    .argument("<source>", "a source")
    .description("print the SQL that gives a source's role what it needs, and no more")
    .action(async (source: string, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const grants = await session.operations.grants(source);
      if (global.json) writeJson(face.terminal, grants);
      else writeLine(face.terminal.stdout, grants.sql);
    });
};
