/** `sluice validate`: every mistake of a workspace at once, without connecting to anything. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { listOf } from "../documents/documents.ts";
import { printProblem } from "../documents/problem.ts";
import type { GlobalOptions } from "./face.ts";
import { plural, styled, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const validateCommand: AddCommand = (program, face) => {
  program
    .command("validate")
    .argument("[folder]", "the workspace")
    .description("check a workspace's documents; connects to nothing")
    .action(async (folder: string | undefined, _options: unknown, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      const loaded = await face.loadWorkspace(resolve(folder ?? global.dir));
      const documents = listOf(loaded.documents);
      for (const warning of loaded.warnings) writeLine(face.terminal.stderr, printProblem(warning));
      const kinds = Object.groupBy(documents, ({ kind }) => kind);
      if (global.json)
        return writeJson(face.terminal, {
          ok: true,
          documents: documents.map(({ kind, name }) => ({ kind, name })),
          warnings: loaded.warnings.map(({ file, line, column, code, path, message }) => ({
            file,
            line,
            column,
            code,
            path,
            message,
          })),
        });
      const parts = Object.entries(kinds).map(([kind, some]) => plural(some?.length ?? 0, kind));
      writeLine(
        face.terminal.stdout,
        `${styled(face.terminal.stdout, "green", "ok")}  ${parts.join(", ") || "no documents"}`,
      );
    });
};
