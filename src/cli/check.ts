/** `sluice check`: does a connection work? */
import type { Command } from "commander";
import type { GlobalOptions } from "./face.ts";
import { styled, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const checkCommand: AddCommand = (program, face) => {
  program
    .command("check")
    .argument("<name>", "a source or a destination")
    .description("try a connection: credentials, rights, planner schema")
    .action(async (name: string, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const result = await session.operations.check(name);
      if (global.json) return writeJson(face.terminal, result);
      const { stdout } = face.terminal;
      writeLine(stdout, `${styled(stdout, "green", "ok")}  ${result.kind} ${result.name}: ${result.account}`);
    });
};
