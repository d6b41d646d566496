/** `sluice apply`: make a store's documents those of a folder. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { listOf } from "../documents/documents.ts";
import type { GlobalOptions } from "./face.ts";
import { plural, styled, writeJson, writeLine } from "./output.ts";
import type { AddCommand } from "./command.ts";

export const applyCommand: AddCommand = (program, face) => {
  program
    .command("apply")
    .argument("[folder]", "the workspace")
    .option("--prune", "delete what the folder does not have")
    .option("--dry-run", "only say what would change")
    .description("make the service's documents those of a folder, all or nothing")
    .action(async (folder: string | undefined, options: { prune?: boolean; dryRun?: boolean }, command: Command) => {
      const global = command.optsWithGlobals<GlobalOptions>();
      const { documents } = await face.loadWorkspace(resolve(folder ?? global.dir));
      await using session = await face.openSession({ folder: global.dir, url: global.url });
      const result = await session.operations.apply(listOf(documents), {
        prune: options.prune === true,
        dryRun: options.dryRun === true,
        author: "command",
      });
      if (global.json) return writeJson(face.terminal, result);
      const { stdout } = face.terminal;
      const signs = { created: "green", replaced: "yellow", deleted: "red" } as const;
      for (const { kind, name, change } of result.changes)
        writeLine(stdout, `${styled(stdout, signs[change], change.padEnd(8))}  ${kind} ${name}`);
      const made = result.dry_run ? "would change" : "changed";
      writeLine(stdout, `${plural(result.changes.length, "document")} ${made}, ${result.unchanged} unchanged.`);
    });
};
